"""Values as bytes that say what they are: equal for equal content in every process, different for different types."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import struct
import uuid
from collections.abc import Mapping, Sequence, Set
from typing import Any

from amlsdk.errors import InvalidArgument

__all__ = ["encoded"]

_MISSING = frozenset({"NaTType", "NAType"})
_BY_TEXT = (decimal.Decimal, uuid.UUID, dt.time)
_PANDAS_BY_TEXT = frozenset({"Period", "Interval"})
_MOST_DEPTH = 64
_NOTHING = b"n"


def encoded(value: Any, what: str, depth: int = 0) -> bytes:
    """Return a value as bytes.

    Raises:
        InvalidArgument: Its type has no content that can be told, or it is nested deeper than 64 levels.
    """
    kind = type(value)
    if kind is str:
        return _sized(b"s", value.encode("utf-8", "surrogatepass"))
    if value is None:
        return _NOTHING
    if kind is bool:
        return b"T" if value else b"F"
    if kind is int:
        return b"i%d;" % value
    if kind is float:
        # Adding 0.0 makes 0.0 of -0.0.
        return b"f" + struct.pack("<d", value + 0.0) if value == value else _NOTHING  # noqa: PLR0124  # NaN
    return _scalar(value, what, depth) or _compound(value, what, depth)


def _sized(mark: bytes, content: bytes) -> bytes:
    return b"%s%d:%s" % (mark, len(content), content)


def _scalar(value: Any, what: str, depth: int) -> bytes | None:
    """The bytes of what is no collection, else None."""
    if type(value).__name__ in _MISSING:
        return _NOTHING
    if isinstance(value, enum.Enum):
        return _sized(b"o", f"{type(value).__qualname__}.{value.name}".encode())
    for plain in (str, int, float):
        if isinstance(value, plain):
            return encoded(plain(value), what, depth)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _sized(b"b", bytes(value))
    return _time(value) or _by_text(value)


def _time(value: Any) -> bytes | None:
    if isinstance(value, dt.datetime):
        return _sized(b"t", (value if value.tzinfo is None else value.astimezone(dt.timezone.utc)).isoformat().encode())
    if isinstance(value, dt.date):
        return _sized(b"d", value.isoformat().encode())
    if isinstance(value, dt.timedelta):
        # Those of pandas have nanoseconds, which their parts in common with the standard library lack.
        below = getattr(value, "nanoseconds", 0)
        return b"D%d,%d,%d,%d;" % (value.days, value.seconds, value.microseconds, below)
    return None


def _by_text(value: Any) -> bytes | None:
    kind = type(value)
    of_pandas = kind.__name__ in _PANDAS_BY_TEXT and kind.__module__.partition(".")[0] == "pandas"
    if of_pandas or isinstance(value, _BY_TEXT):
        return _sized(b"o", f"{kind.__name__} {value}".encode())
    return None


def _compound(value: Any, what: str, depth: int) -> bytes:
    if depth >= _MOST_DEPTH:
        raise InvalidArgument(f"{what} is nested deeper than {_MOST_DEPTH} levels")
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return _of_numpy(value, what, depth)
    if isinstance(value, Mapping):
        pairs = [encoded(key, what, depth + 1) + encoded(item, what, depth + 1) for key, item in value.items()]
        return b"m%d:" % len(pairs) + b"".join(sorted(pairs))
    if isinstance(value, Set):
        return b"e%d:" % len(value) + b"".join(sorted(encoded(item, what, depth + 1) for item in value))
    if isinstance(value, Sequence):
        return b"l%d:" % len(value) + b"".join([encoded(item, what, depth + 1) for item in value])
    raise InvalidArgument(
        f"{what} holds a {type(value).__module__}.{type(value).__qualname__}, whose content can't be told; "
        "convert it to texts, numbers or times"
    )


def _of_numpy(value: Any, what: str, depth: int) -> bytes:
    """A scalar like its Python one; an array like a list of them."""
    kind, plain = value.dtype.kind, value
    if kind in {"M", "m"} and value.ndim == 0:
        return _sized(b"N", str(value).encode()) if value == value else _NOTHING  # noqa: PLR0124  # NaT
    if kind == "c" or (value.ndim == 0 and value.dtype.char in "gG"):
        return _sized(b"c", f"{value.dtype.name} {value.tolist()!r}".encode())
    plain = list(value) if value.ndim and kind in {"M", "m"} else value.tolist()
    return encoded(plain, what, depth + 1)
