"""How a worker is told what to do: its command line, and environment variables where there is no other way in."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec

from amlsdk.errors import InvalidArgument
from amlsdk.records.converting import CONVERTER
from amlsdk.records.serving import ScoringSettings

__all__ = ["Options", "read_options"]

_PREFIX = "AMLSDK_"
_DEFAULT_PORT = 8080


@attrs.frozen(kw_only=True)
class Options:
    """What a worker is told.

    Args:
        root: The bundle.
        host: Address to listen at, unless a socket is handed down.
        port: To listen at; 0 takes a free one.
        fd: A listening socket that is handed down; nothing is accepted until the supervisor says so.
        control_fd: A connected socket to the supervisor.
        keys: File of the keys.
        traffic: Folder of the counters of all processes of the deployment.
        settings: Limits.
    """

    root: Path
    host: str
    port: int
    fd: int | None
    control_fd: int | None
    keys: Path | None
    traffic: Path | None
    settings: ScoringSettings


def read_options(arguments: Sequence[str], environment: Mapping[str, str], *, root: Path | None = None) -> Options:
    """Return what command line and environment say.

    Args:
        arguments: The command line without the program.
        environment: `AMLSDK_HOST`, `AMLSDK_PORT`, `AMLSDK_TRAFFIC`, `AMLSDK_SETTINGS_FILE`, and a variable for each
            limit, such as `AMLSDK_MAX_BODY_BYTES`.
        root: The bundle, where it is known already.

    Raises:
        InvalidArgument: A limit is not what it can be.
    """
    given = _parser(environment, root).parse_args(arguments)
    return Options(
        root=given.root,
        host=given.host,
        port=given.port,
        fd=given.fd,
        control_fd=given.control_fd,
        keys=given.keys,
        traffic=given.traffic,
        settings=_settings(given.settings, environment),
    )


def _parser(environment: Mapping[str, str], root: Path | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="amlsdk.scoring", description="Serve a bundle.")
    parser.add_argument("--root", type=Path, default=root, required=root is None, help="the bundle")
    parser.add_argument("--host", default=environment.get(_PREFIX + "HOST", "127.0.0.1"), help="address to listen at")
    port = environment.get(_PREFIX + "PORT", str(_DEFAULT_PORT))
    parser.add_argument("--port", type=int, default=port, help="port to listen at; 0 takes a free one")
    parser.add_argument("--fd", type=int, help="a listening socket")
    parser.add_argument("--control-fd", type=int, help="a socket to the supervisor")
    parser.add_argument("--keys", type=Path, help="JSON file with `primary` and `secondary`")
    parser.add_argument("--settings", type=Path, default=environment.get(_PREFIX + "SETTINGS_FILE"), help="JSON file")
    parser.add_argument("--traffic", type=Path, default=environment.get(_PREFIX + "TRAFFIC"), help="folder of counters")
    return parser


def _settings(file: Path | None, environment: Mapping[str, str]) -> ScoringSettings:
    given: dict[str, Any] = {} if file is None else msgspec.json.decode(Path(file).read_bytes())
    settings: ScoringSettings = CONVERTER.structure(given, ScoringSettings)
    changes: dict[str, Any] = {}
    for field in attrs.fields(ScoringSettings):
        text = environment.get(_PREFIX + field.name.upper())
        # Of keys the environment tells otherwise: see `keys_of`.
        if text is not None and field.name != "keys":
            changes[field.name] = _number(field, text)
    return attrs.evolve(settings, **changes)


def _number(field: attrs.Attribute[Any], text: str) -> float:
    kind = int if isinstance(field.default, int) else float
    try:
        value: float = kind(text)
    except ValueError:
        value = -1
    if not value > 0:
        expected = "an integer" if kind is int else "a number"
        raise InvalidArgument(f"{_PREFIX}{field.name.upper()} is {text!r}; {expected} above 0 is expected")
    return value
