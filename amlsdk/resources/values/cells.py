"""One value of a table or a row, as JSON can carry it without losing what it meant."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import math
import os
import sys
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from amlsdk.errors import InvalidArgument

__all__ = ["HIGHEST", "LOWEST", "MOST_ITEMS", "cell_of", "json_of"]

MOST_ITEMS = 1_000_000
_MOST_DEPTH = 32
LOWEST, HIGHEST = -(1 << 63), (1 << 64) - 1
_MISSING = frozenset({"NaTType", "NAType"})  # of pandas.NaT and pandas.NA; neither equals itself
_PANDAS_BY_TEXT = frozenset({"Period", "Interval"})  # what groups of pd.cut and of months are named by


def json_of(value: Any, what: str) -> Any:
    """Return a value for a row or a list as JSON can carry it.

    NaN and infinities become "nan", "inf" and "-inf"; times become ISO 8601 in UTC (those without a zone are taken as
    UTC), durations seconds, None and missing values null; scalars and arrays of NumPy are unwrapped.

    Args:
        value: A number, text, time, or mappings and sequences of them.
        what: How messages name it, as `row 3, column 'x'`.

    Raises:
        InvalidArgument: There are bytes, unknown types or whole numbers beyond 64 bits in it, it is deeper than 32
            levels, or a sequence is longer than 1 000 000 items.
    """
    return cell_of(value, what)


def cell_of(value: Any, what: str, depth: int = 0) -> Any:
    """Return a value as JSON can carry it; see `json_of`."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is float:
        return value if math.isfinite(value) else repr(value)
    if kind is str:
        return _text(value, what)
    if kind is int:
        return _whole(value, what)
    return _other(value, what, depth)


def _text(value: str, what: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgument(f"{what} has characters that UTF-8 can't carry: {error.reason}") from error
    return str(value)


def _whole(value: int, what: str) -> int:
    if not LOWEST <= value <= HIGHEST:
        raise InvalidArgument(f"{what} is a whole number beyond 64 bits; log it as text or float")
    return int(value)


def _other(value: Any, what: str, depth: int) -> Any:
    """What is not exactly one of the types of JSON."""
    if type(value).__name__ in _MISSING:
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise InvalidArgument(f"{what} holds {type(value).__name__}, which JSON can't carry; decode to text first")
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return _numpy_scalar(value, what, depth)
    if isinstance(value, enum.Enum):
        return cell_of(value.value, what, depth + 1)
    if isinstance(value, (str, int, float)):
        plain = next(kind for kind in (str, int, float) if isinstance(value, kind))
        return cell_of(plain(value), what, depth)
    scalar = _scalar(value)
    return scalar if scalar is not None else _compound(value, what, depth)


def _numpy_scalar(value: Any, what: str, depth: int) -> Any:
    kind = value.dtype.kind
    if kind == "M":
        # Nanoseconds would come out as a bare integer.
        return cell_of(value.astype("datetime64[us]").item(), what, depth)
    if kind == "m":
        seconds = value / type(value)(1, "s") if value == value else None  # noqa: PLR0124  # NaT
        return cell_of(None if seconds is None else float(seconds), what, depth)
    if kind == "f":
        return cell_of(float(value), what, depth)  # longdouble's item() is itself
    if kind in "biuU":
        return cell_of(value.item(), what, depth)
    raise _unknown(value, what)


def _scalar(value: Any) -> Any:
    """Text or number of a scalar of the standard library, else None."""
    if isinstance(value, dt.datetime):
        return _utc(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    kind = type(value)
    of_pandas = kind.__name__ in _PANDAS_BY_TEXT and kind.__module__.partition(".")[0] == "pandas"
    if of_pandas or isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    return os.fsdecode(value) if isinstance(value, os.PathLike) else None


def _utc(value: dt.datetime) -> str:
    aware = value.replace(tzinfo=dt.timezone.utc) if value.tzinfo is None else value
    try:
        return aware.astimezone(dt.timezone.utc).isoformat().replace("+00:00", "Z")
    except OverflowError:  # within a day of year 1 or 9999
        return aware.isoformat()


def _compound(value: Any, what: str, depth: int) -> Any:
    if depth >= _MOST_DEPTH:
        raise InvalidArgument(f"{what} is nested deeper than {_MOST_DEPTH} levels")
    if isinstance(value, Mapping):
        return {_key(key, what): cell_of(item, what, depth + 1) for key, item in value.items()}
    if callable(getattr(value, "tolist", None)):  # arrays, Series, tensors
        if getattr(value, "ndim", 1) == 0:
            return cell_of(_single(value), what, depth + 1)
        _check_length(value, what)
        value = _listed(value)
    if isinstance(value, Sequence):
        _check_length(value, what)
        return [cell_of(item, what, depth + 1) for item in value]
    raise _unknown(value, what)


def _check_length(value: Any, what: str) -> None:
    if len(value) > MOST_ITEMS:
        raise InvalidArgument(f"{what} has {len(value)} items; at most {MOST_ITEMS} are kept")


def _holds_times(array: Any) -> bool:
    # Their tolist() and item() make bare integers of nanoseconds.
    return getattr(getattr(array, "dtype", None), "kind", "") in {"M", "m"}


def _single(array: Any) -> Any:
    """The one value of an array of no dimension."""
    return array[()] if _holds_times(array) else array.tolist()


def _listed(array: Any) -> list[Any]:
    return list(array) if _holds_times(array) else list(array.tolist())


def _key(key: Any, what: str) -> str:
    if isinstance(key, str):
        return _text(key, what)
    if isinstance(key, (int, float)):
        return str(key)
    raise InvalidArgument(f"{what} has a key of type {type(key).__name__}; keys are texts")


def _unknown(value: Any, what: str) -> InvalidArgument:
    return InvalidArgument(
        f"{what} holds a {type(value).__module__}.{type(value).__qualname__}; "
        "numbers, texts, times, None, and lists and mappings of them can be logged"
    )
