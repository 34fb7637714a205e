"""Single values: their types for the quick reader, and their check by hand, which says what is wrong."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal, Optional

import msgspec

from amlsdk.records.serving import ColumnSpec
from amlsdk.scoring.replies import Problem

__all__ = ["check_scalar", "json_name", "needs_look", "scalar_type", "time_of"]

_TYPES: dict[str, Any] = {"number": float, "integer": int, "boolean": bool, "string": str, "datetime": str}
_EXPECTED = {
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "string": "a string",
    "datetime": "a time (ISO 8601)",
}
_INT_DTYPE = re.compile(r"(u?)int(8|16|32|64)", re.IGNORECASE)
# RFC 3339, and a date alone; Python 3.10 reads neither Z nor fractions of other than three or six digits.
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE)
_SHOWN_CATEGORIES = 8


def scalar_type(column: ColumnSpec) -> Any:
    """Return the type by which msgspec reads a value of a column."""
    kind: Any = _TYPES[column.kind]
    if column.categories and column.kind == "string":
        kind = Literal[tuple(column.categories)]
    elif column.kind == "integer" and not needs_look(column):
        low, high = _bounds(column.dtype)
        kind = Annotated[int, msgspec.Meta(ge=low, le=high)]
    return Optional[kind] if column.nullable else kind  # noqa: UP045  # `Literal | None` can't be made at run time


def needs_look(column: ColumnSpec) -> bool:
    """Return whether the type alone does not tell a good value: `check_scalar` has to look at each."""
    if column.kind == "datetime" or (column.categories and column.kind != "string"):
        return True
    # Bounds beyond 64 bits with a sign are no bounds to msgspec.
    return column.kind == "integer" and _bounds(column.dtype)[1] >= 1 << 63


def check_scalar(column: ColumnSpec, value: Any, where: str) -> Any:
    """Return a value of a column as it is to be used.

    Raises:
        Problem: It is not of the column's kind, out of range, or none of its categories.
    """
    if value is None:
        if column.nullable:
            return None
        raise Problem(f"{where}: {_EXPECTED[column.kind]} is expected, not null")
    value = _of_kind(column.kind, value, where)
    if column.categories and str(value) not in column.categories:
        raise Problem(f"{where}: {_among(column.categories)} is expected, not another value")
    if column.kind == "integer":
        low, high = _bounds(column.dtype)
        if not low <= value <= high:
            raise Problem(f"{where}: an integer from {low} to {high} is expected")
    return value


def time_of(text: str) -> dt.datetime:
    """Return a time written as ISO 8601: a date, or a date and a time, with or without an offset.

    Raises:
        ValueError: It is none.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day, clock, fraction, zone = match.groups()
    zone = "" if not zone else "+00:00" if zone in "Zz" else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    clock = f"{clock or '00:00'}:00"[:8]
    return dt.datetime.fromisoformat(f"{day}T{clock}{(fraction or '.0').ljust(7, '0')[:7]}{zone}")


def json_name(value: Any) -> str:
    """Return what a value is called in JSON, for messages."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    names = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def _of_kind(kind: str, value: Any, where: str) -> Any:
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        return _float(value, where)
    if isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool)):
        if kind == "datetime":
            _check_time(value, where)
        return value
    found = f"{value!r}" if kind == "integer" and isinstance(value, float) else json_name(value)
    raise Problem(f"{where}: {_EXPECTED[kind]} is expected, not {found}")


def _float(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise Problem(f"{where}: the number is out of range") from None


def _check_time(value: str, where: str) -> None:
    try:
        time_of(value)
    except ValueError:
        raise Problem(f"{where}: {_EXPECTED['datetime']} is expected, not another string") from None


def _bounds(dtype: str) -> tuple[int, int]:
    match = _INT_DTYPE.fullmatch(dtype)
    bits = int(match[2]) if match else 64
    if match and match[1]:
        return 0, (1 << bits) - 1
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def _among(categories: tuple[str, ...]) -> str:
    shown = ", ".join(repr(category) for category in categories[:_SHOWN_CATEGORIES])
    more = len(categories) - _SHOWN_CATEGORIES
    return f"one of {shown}{f' and {more} more' if more > 0 else ''}"
