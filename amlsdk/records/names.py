"""What may be a name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from amlsdk.errors import InvalidArgument
from amlsdk.records.ids import is_id

__all__ = ["MAX_KEY", "MAX_TEXT", "check_key", "check_name", "check_text"]

MAX_KEY = 250
MAX_TEXT = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,126}[A-Za-z0-9._-])?")


def check_name(name: str, *, what: str) -> str:
    """Return the name of a resource (project, experiment, model, ...), or say what is wrong with it.

    Raises:
        InvalidArgument: Not 1 to 128 of letters, digits, space, `.`, `_`, `-`, beginning with a letter or digit;
            or it has the form of an id.
    """
    if not isinstance(name, str):
        raise InvalidArgument(f"a name of {_one(what)} is a text, not {type(name).__name__}")
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f"{name[:160]!r} can't name {_one(what)}: 1 to 128 letters, digits, spaces, '.', '_' or '-', "
            "beginning with a letter or digit and not ending in a space"
        )
    if is_id(name):
        raise InvalidArgument(f"{name!r} can't name {_one(what)}: it has the form of an id")
    return name


def check_key(name: str, *, what: str) -> str:
    """Return the name of a metric, param, tag or table: 1 to 250 printable characters.

    Raises:
        InvalidArgument: It is anything else.
    """
    if not isinstance(name, str):
        raise InvalidArgument(f"a name of a {what} is a text, not {type(name).__name__}")
    if not name or len(name) > MAX_KEY:
        raise InvalidArgument(f"a name of a {what} has 1 to {MAX_KEY} characters; {name[:40]!r} has {len(name)}")
    if not name.isprintable() or name != name.strip():
        raise InvalidArgument(f"{name!r} can't name a {what}: printable characters, no space at the ends")
    return name


def check_text(text: str, *, what: str) -> str:
    """Return a free text of at most 64 Ki characters that UTF-8 can carry.

    Raises:
        InvalidArgument: It is longer, not a text, or has lone surrogates or NUL.
    """
    if not isinstance(text, str):
        raise InvalidArgument(f"{what} is a text, not {type(text).__name__}")
    if len(text) > MAX_TEXT:
        raise InvalidArgument(f"{what} has {len(text)} characters; at most {MAX_TEXT} are kept")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"{what} has characters that UTF-8 can't carry: {error.reason}") from error
    if "\0" in text:
        raise InvalidArgument(f"{what} has a NUL character")
    return text


def _one(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def listed(words: Iterable[str], *, most: int = 8) -> str:
    """Join words for a message, at most so many of them."""
    words = list(words)
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
