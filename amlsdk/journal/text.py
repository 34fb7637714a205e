"""The text of a line: JSON that any reader takes, sealed with its checksum."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

from amlsdk.errors import InvalidArgument

__all__ = ["INT64", "MAX_LINE", "VERSION", "lenient", "number_text", "plain", "quoted", "sealed"]

VERSION = 1
MAX_LINE = 1 << 20
INT64 = range(-(1 << 63), 1 << 63)

_MAX_DEPTH = 64
_NOT_FINITE = {math.inf: "inf", -math.inf: "-inf"}
# Not ASCII-only: an escaped lone surrogate would pass here and be refused by every reader.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def sealed(body: str, *, what: str) -> bytes:
    """Return a whole line of the members of an object (without its braces).

    Raises:
        InvalidArgument: UTF-8 can't carry it, or the line is longer than 1 MiB.
    """
    try:
        head = f'{{"v":{VERSION},{body}'.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"{what} has characters that UTF-8 can't carry: {error.reason}") from error
    line = b'%b,"c":%d}\n' % (head, zlib.crc32(head))
    if len(line) > MAX_LINE:
        raise InvalidArgument(
            f"{what} takes {len(line)} bytes; at most {MAX_LINE} are logged at once: keep it as a file of the run"
        )
    return line


def quoted(value: Any) -> str:
    """Return the JSON of a plain value."""
    return _encode(value)


def number_text(number: float) -> str:
    """Return the JSON of a float; one that is not finite becomes a text."""
    if math.isfinite(number):
        return repr(number)
    return f'"{_NOT_FINITE.get(number, "nan")}"'


def lenient(text: str, *, most: int) -> str:
    """Return the end of a text that must never be refused, such as an error; what UTF-8 can't carry is escaped."""
    return text[-most:].encode("utf-8", "backslashreplace").decode()


def plain(value: Any, *, what: str, depth: int = 0) -> Any:
    """Return a value as JSON has it: texts, whole numbers of 64 bits, floats, booleans, None, lists and objects.

    Floats that are not finite become texts; numpy's scalars become what they hold.

    Raises:
        InvalidArgument: JSON has no such thing.
    """
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _NOT_FINITE.get(value, "nan")
    if isinstance(value, int) and value in INT64:
        return int(value)
    if depth < _MAX_DEPTH:
        if isinstance(value, Mapping):
            return {_key(key, what): plain(item, what=what, depth=depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item, what=what, depth=depth + 1) for item in value]
        if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
            return plain(value.item(), what=what, depth=depth + 1)
    raise _refusal(value, what, depth)


def _key(key: Any, what: str) -> str:
    if isinstance(key, str):
        return key
    raise InvalidArgument(f"{what} has a key {key!r:.60} of type {type(key).__name__}; keys are texts")


def _refusal(value: Any, what: str, depth: int) -> InvalidArgument:
    if isinstance(value, int):
        return InvalidArgument(f"{what} has a whole number of more than 64 bits; log it as a text")
    if depth >= _MAX_DEPTH:
        return InvalidArgument(f"{what} is nested deeper than {_MAX_DEPTH} levels")
    return InvalidArgument(
        f"{what} has a {type(value).__name__}; texts, numbers, booleans, None, lists and mappings of these are kept"
    )
