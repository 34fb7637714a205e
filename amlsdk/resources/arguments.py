"""What a call was given, looked at before anything is done: every message names the call and the argument.

Names and texts are checked by `records.names`; here is what is no text: mappings, lists, paths, flags.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from amlsdk.errors import InvalidArgument
from amlsdk.records.names import check_key, check_name, check_text

__all__ = [
    "check_flag",
    "check_items",
    "check_mapping",
    "check_run_name",
    "check_texts",
    "check_timeout",
    "check_whole",
    "local_path",
    "named",
    "one_of",
    "shown",
    "telling",
]


@contextlib.contextmanager
def telling(call: str) -> Iterator[None]:
    """Put the call before the message of whatever finds its arguments wrong."""
    try:
        yield
    except InvalidArgument as error:
        raise InvalidArgument(f"{call}: {error}") from error.__cause__


def shown(value: object) -> str:
    """Return how a message shows what was given: its type, and the value where that is short."""
    if value is None or isinstance(value, bool):
        return str(value)
    kind = type(value).__name__
    return f"{kind} {value!r:.40}" if isinstance(value, (str, bytes, int, float)) else kind


def check_mapping(value: Any, *, what: str, of: str) -> Mapping[Any, Any]:
    """Return a mapping.

    Args:
        value: What was given.
        what: How the message names it, as `log_params(params=...)`.
        of: What it maps, as `values by name`.

    Raises:
        InvalidArgument: It is none.
    """
    if not isinstance(value, Mapping):
        raise InvalidArgument(f"{what} is a mapping of {of}, not {shown(value)}")
    return value


def check_texts(value: Any, *, what: str, kind: str = "tag") -> dict[str, str]:
    """Return texts by name, none of them for None.

    Raises:
        InvalidArgument: It is no mapping, or has a bad name or what is no text; the message names it.
    """
    if value is None:
        return {}
    texts = check_mapping(value, what=what, of="texts by name")
    with telling(what):
        return {check_key(name, what=kind): check_text(text, what=f"{kind} {name!r}") for name, text in texts.items()}


def check_run_name(name: Any, *, call: str) -> None:
    """See that a name that a run is given is one; None leaves it to the service.

    Raises:
        InvalidArgument: It can't name a run.
    """
    if name is not None:
        with telling(f"{call}(name=...)"):
            check_name(name, what="run")


def check_items(value: Any, *, what: str, of: str) -> list[Any]:
    """Return the items of a list, or of anything else that has them in an order.

    Raises:
        InvalidArgument: It is a text or a mapping, or has no items.
    """
    if isinstance(value, (str, bytes, Mapping, set, frozenset)) or not isinstance(value, Iterable):
        raise InvalidArgument(f"{what} is a list of {of}, not {shown(value)}")
    return list(value)


def check_whole(value: Any, *, what: str, least: int = 1) -> int | None:
    """Return a whole number, or None.

    Raises:
        InvalidArgument: It is something else, or too small.
    """
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
        raise InvalidArgument(f"{what} is a whole number from {least} on, or None, not {shown(value)}")
    return value


def check_timeout(timeout_s: Any) -> None:
    """See that a number of seconds is one, or None.

    Raises:
        InvalidArgument: It is something else, or negative.
    """
    if timeout_s is not None and (
        isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or timeout_s < 0
    ):
        raise InvalidArgument(f"timeout_s is a number of seconds or None, not {timeout_s!r}")


def check_flag(value: Any, *, what: str) -> bool:
    """Return True or False.

    Raises:
        InvalidArgument: It is something else: the text "no" is no False.
    """
    if not isinstance(value, bool):
        raise InvalidArgument(f"{what} is True or False, not {shown(value)}")
    return value


def one_of(value: Any, known: Iterable[str], *, what: str) -> str:
    """Return a text that is one of some.

    Raises:
        InvalidArgument: It is none of them.
    """
    known = tuple(known)
    if value not in known:
        raise InvalidArgument(f"{what} is one of {', '.join(map(repr, known))}, not {shown(value)}")
    return str(value)


def named(value: str | os.PathLike[str], *, what: str) -> str:
    """Return a path as text, wherever it leads.

    Raises:
        InvalidArgument: It is no text and no path, is empty, or has a NUL.
    """
    text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else value
    if not isinstance(text, str):
        raise InvalidArgument(f"{what} is a path, not {shown(value)}")
    if not text or "\0" in text:
        raise InvalidArgument(f"{what} is a path, not {text!r:.80}")
    return text


def local_path(value: str | os.PathLike[str], *, what: str) -> Path:
    """Return a path of this machine, `~` filled in; whether something is there is left to the caller.

    Raises:
        InvalidArgument: It is no path, or one that this machine can't have or can't look at.
    """
    text = named(value, what=what)
    try:
        path = Path(text).expanduser()
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError, RuntimeError) as error:  # too long, not to be encoded, the home of nobody
        reason = getattr(error, "strerror", None) or error
        raise InvalidArgument(f"{what}: {text!r:.80} can't be looked at: {reason}") from error
    return path
