"""The command line of a run, and the parameters that can be read off it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.records.names import check_key, check_text
from amlsdk.resources.capture.printable import printable
from amlsdk.resources.capture.sensitive import MASK, is_secret_name, without_password

__all__ = ["command_line", "masked", "params_of"]

_NAME = r"[A-Za-z][\w.-]*"
_LONG = re.compile(rf"--({_NAME})(?:=(.*))?", re.DOTALL)
_LETTER = re.compile(r"-([A-Za-z])(?:=(.*))?", re.DOTALL)
# `-lr 0.1` is one option for some parsers; without a value `-vvv` and `-n3` could mean anything.
_WORD = re.compile(r"-([A-Za-z][A-Za-z_.-]+)(?:=(.*))?", re.DOTALL)
_NUMBER = re.compile(r"-(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|-inf|-nan")
_BARE = re.compile(rf"\+{{0,2}}({_NAME})=(.*)", re.DOTALL)


@attrs.frozen
class _Option:
    """An argument that begins an option: its name, its value where it carries one, whether it must have one."""

    name: str
    value: str | None
    needs_value: bool


def command_line() -> dict[str, Any]:
    """Return how this process was started.

    Returns:
        `argv` with values that look like secrets masked; `script`, the absolute path of the main file, None in a
        notebook or a prompt; `folder`, the working folder, None where it is gone.
    """
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    return {
        "argv": masked(str(argument) for argument in getattr(sys, "argv", ())),
        "script": printable(os.path.abspath(file)) if file else None,  # noqa: PTH100  # resolves no links
        "folder": _working_folder(),
    }


def params_of(arguments: Iterable[str]) -> dict[str, str]:
    """Return the parameters among the arguments of a script, as text by name.

    `--name value`, `--name=value`, `-n value` and `-name value` give `name`; `--flag` gives "true"; dashes in names
    become underscores; of repeated names the last counts. Only the first value after a name is taken: whether more of
    them belong to it, only the script knows. Left out: names that look like secrets, whatever follows `--`, and what
    can't be parsed or kept. A password in a URL is masked.
    """
    return {name: value for name, value in _pairs(list(arguments)) if _can_be_kept(name, value)}


def masked(arguments: Iterable[str]) -> list[str]:
    """Return arguments with what looks like a secret replaced by `***`."""
    kept: list[str] = []
    hiding: str | None = None
    for argument in arguments:
        option = _option(argument)
        if option is None and hiding is not None:
            kept.append(MASK)
            # `--tokens a b` may go on; after `--token a` the next one is something else.
            hiding = hiding if hiding.endswith("s") else None
            continue
        kept.append(printable(_mask_value(argument)))
        hiding = option.name if option and option.value is None and is_secret_name(option.name) else None
    return kept


def _mask_value(argument: str) -> str:
    option = _option(argument)
    bare = _BARE.fullmatch(argument)
    name = option.name if option and option.value is not None else bare[1] if bare else None
    if name is not None and is_secret_name(name):
        return argument.partition("=")[0] + f"={MASK}"
    return without_password(argument)


def _pairs(arguments: list[str]) -> Iterator[tuple[str, str]]:
    for position, argument in enumerate(arguments):
        if argument == "--":
            return
        option = _option(argument)
        if option is None or is_secret_name(option.name):
            continue
        following = arguments[position + 1] if position + 1 < len(arguments) else "--"
        value = option.value
        if value is None:
            value = None if _begins_option(following) else following
        if value is not None or not option.needs_value:
            yield option.name.replace("-", "_"), "true" if value is None else without_password(value)


def _option(argument: str) -> _Option | None:
    if _NUMBER.fullmatch(argument):
        return None
    for pattern in (_LONG, _LETTER, _WORD):
        if found := pattern.fullmatch(argument):
            return _Option(found[1], found[2], needs_value=pattern is _WORD)
    return None


def _begins_option(argument: str) -> bool:
    return argument.startswith("-") and argument != "-" and not _NUMBER.fullmatch(argument)


def _can_be_kept(name: str, value: str) -> bool:
    try:
        check_key(name, what="param")
        check_text(value, what="a param")
    except InvalidArgument:
        return False
    return True


def _working_folder() -> str | None:
    try:
        return printable(os.getcwd())  # noqa: PTH109  # text is what is kept
    except OSError:
        return None
