"""Columns of a sample as JSON, each with what its values must be."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

from amlsdk.errors import InvalidArgument
from amlsdk.records.serving import ColumnSpec

__all__ = ["MOST_ROWS", "column_of_list", "column_of_series", "is_missing", "plain_cell"]

MOST_ROWS = 10

_OF_DTYPE = {"b": "boolean", "i": "integer", "u": "integer", "f": "number", "M": "datetime"}
_DEFAULT_DTYPES = {"boolean": "bool", "integer": "int64", "number": "float64", "string": "object", "datetime": "object"}
_TEXTS = frozenset({"str", "string"})
_MISSING = frozenset({"NaTType", "NAType"})


def column_of_series(name: str, series: Any) -> tuple[ColumnSpec, list[Any]]:
    """Describe a Series of pandas; its first rows as JSON.

    Raises:
        InvalidArgument: It holds what JSON has no form for; the message names the column.
    """
    dtype = series.dtype
    if str(dtype) == "category":
        return _category(name, series)
    kind = _OF_DTYPE.get(getattr(dtype, "kind", "O"))
    if kind is None and (str(dtype) in _TEXTS or str(dtype).startswith("string")):
        kind = "string"
    nullable = bool(series.isna().any())
    if kind is None:
        kind = _kind_of(name, series.dropna().tolist())
    values = [plain_cell(name, kind, value) for value in series.iloc[:MOST_ROWS].tolist()]
    return ColumnSpec(name=name, kind=kind, dtype=str(dtype), nullable=nullable), values


def column_of_list(name: str, values: Sequence[Any]) -> tuple[ColumnSpec, list[Any]]:
    """Describe a column of plain values; its first rows as JSON.

    Raises:
        InvalidArgument: It holds what JSON has no form for; the message names the column.
    """
    present = [value for value in values if not is_missing(value)]
    kind, nullable = _kind_of(name, present), len(present) < len(values)
    # Integers of which some are missing are floats to numpy and pandas.
    dtype = "float64" if kind == "integer" and nullable else "object" if nullable else _DEFAULT_DTYPES[kind]
    dtype = "float64" if kind == "number" else dtype
    shown = [plain_cell(name, kind, value) for value in values[:MOST_ROWS]]
    return ColumnSpec(name=name, kind=kind, dtype=dtype, nullable=nullable), shown


def _category(name: str, series: Any) -> tuple[ColumnSpec, list[Any]]:
    categories = series.dtype.categories.tolist()
    kind = _kind_of(name, categories) if categories else "string"
    nullable = bool(series.isna().any())
    values = [plain_cell(name, kind, value) for value in series.iloc[:MOST_ROWS].tolist()]
    spec = ColumnSpec(name=name, kind=kind, dtype="category", nullable=nullable, categories=tuple(map(str, categories)))
    return spec, values


def is_missing(value: Any) -> bool:
    """Say whether a value stands for none."""
    if value is None or type(value).__name__ in _MISSING:
        return True
    return isinstance(value, float) and math.isnan(value)


def _kind_of(name: str, present: Sequence[Any]) -> str:
    kinds = {_kind_of_one(name, value) for value in present}
    if kinds == {"integer", "number"}:
        return "number"
    if len(kinds) > 1:
        raise InvalidArgument(
            f"column {name!r} of the sample mixes {', '.join(sorted(kinds))} values; give it one type, "
            "so that requests can be checked"
        )
    # All of it is missing: anything else would be made up.
    return kinds.pop() if kinds else "number"


def _kind_of_one(name: str, value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    if dtype is not None and getattr(value, "ndim", 1) == 0 and dtype.kind in _OF_DTYPE:
        return _OF_DTYPE[dtype.kind]
    # A bool is an int, too, and so comes first.
    for kinds, kind in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string")):
        if isinstance(value, kinds):
            return kind
    if isinstance(value, dt.datetime):
        return "datetime"
    raise InvalidArgument(
        f"column {name!r} of the sample holds a {type(value).__module__}.{type(value).__qualname__}, for which JSON "
        "has no form; convert it to numbers, texts, true and false or times"
    )


def plain_cell(name: str, kind: str, value: Any) -> Any:
    """Return a value of a column as JSON has it.

    Raises:
        InvalidArgument: It is an infinite number.
    """
    if is_missing(value):
        return None
    if kind == "datetime":
        return value.isoformat() if hasattr(value, "isoformat") else str(value)
    if kind == "number":
        number = float(value)
        if math.isinf(number):
            raise InvalidArgument(f"column {name!r} of the sample holds {number}; JSON has no infinite numbers")
        return number
    return {"boolean": bool, "integer": int, "string": str}[kind](value)
