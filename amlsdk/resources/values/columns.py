"""What a column of data is and looks like."""

from __future__ import annotations

import datetime as dt
import heapq
from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

from amlsdk.resources.values.cells import cell_of
from amlsdk.resources.values.numbers_profile import numbers_profile

__all__ = ["Column", "column_of"]

_MOST_VALUES = 20
_MOST_SHOWN = 200
_KINDS = {"b": "boolean", "i": "integer", "u": "integer", "f": "number", "M": "datetime", "U": "string"}
_MISSING = frozenset({"NaTType", "NAType"})


@attrs.frozen
class Column:
    """A column without its missing values.

    Args:
        type: `boolean`, `integer`, `number`, `string`, `datetime`, `category` or `object`.
        missing: How many values are.
        present: The others: an array of numbers, or a list; of times from an array only the first and the last.
        count: How many there are of the others.
    """

    type: str
    missing: int
    present: Any
    count: int

    def profile(self) -> dict[str, Any]:
        """Describe the column as JSON: count, missing, and what its type allows."""
        found: dict[str, Any] = {"type": self.type, "count": self.count, "missing": self.missing}
        if self.type in {"integer", "number"}:
            found.update(numbers_profile(self.present))
        elif self.type == "datetime":
            found.update(_range(self.present))
        elif self.type != "object":
            found.update(_frequencies(self.present, texts=self.type != "boolean"))
        return found


def column_of(values: Any) -> Column:
    """Return the column that a Series, an array `(n,)` or a list holds."""
    if isinstance(values, list):
        return _of_list(values)
    return _of_series(values) if hasattr(values, "iloc") else _of_array(values)


def _of_series(series: Any) -> Column:
    present = series.dropna()
    missing = len(series) - len(present)
    if series.dtype.name == "category":
        return Column("category", missing, present.tolist(), len(present))
    kind = _KINDS.get(getattr(series.dtype, "kind", "O"))
    if kind in {"integer", "number"}:
        unsigned = series.dtype.kind == "u"
        dtype = "float64" if kind == "number" else "uint64" if unsigned else "int64"
        return Column(kind, missing, present.to_numpy(dtype=dtype), len(present))
    if kind == "datetime":
        return Column(kind, missing, [present.min(), present.max()] if len(present) else [], len(present))
    if kind or series.dtype.name in {"str", "string"}:
        return Column(kind or "string", missing, present.tolist(), len(present))
    listed = _of_list(present.tolist())
    return attrs.evolve(listed, missing=missing + listed.missing)


def _of_array(array: Any) -> Column:
    import numpy as np

    kind = _KINDS.get(array.dtype.kind)
    if kind is None or kind in {"boolean", "string"}:
        return _of_list(array.tolist()) if array.dtype.kind in "OUb" else Column("object", 0, [], len(array))
    if kind == "integer":
        return Column(kind, 0, array, len(array))
    present = array[~(np.isnat(array) if kind == "datetime" else np.isnan(array))]
    missing = len(array) - len(present)
    if kind == "number":
        return Column(kind, missing, present.astype(np.float64), len(present))
    return Column(kind, missing, [present.min(), present.max()] if len(present) else [], len(present))


def _of_list(values: list[Any]) -> Column:
    present = [value for value in values if not _is_missing(value)]
    kind = _type_of(present)
    if kind in {"integer", "number"}:
        # Scalars of NumPy and of the standard library alike.
        plain = int if kind == "integer" else float
        present = [plain(value) for value in present]
    return Column(kind, len(values) - len(present), present, len(present))


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in _MISSING:
        return True
    return isinstance(value, float) and value != value  # noqa: PLR0124  # NaN


def _type_of(values: list[Any]) -> str:
    kinds = {_type_of_one(value) for value in values}
    if kinds == {"integer", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else "object"


def _type_of_one(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    if dtype is not None:  # a scalar of NumPy; arrays in a cell are objects
        return _KINDS.get(dtype.kind, "object") if getattr(value, "ndim", 1) == 0 else "object"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -(1 << 63) <= value < 1 << 64 else "object"
    for kinds, name in ((float, "number"), (str, "string"), (dt.date, "datetime")):
        if isinstance(value, kinds):
            return name
    return "object"


def _range(times: list[Any]) -> Mapping[str, Any]:
    texts = sorted(cell_of(_as_time(time), "a profile") for time in times)
    return {"min": texts[0] if texts else None, "max": texts[-1] if texts else None}


def _as_time(value: Any) -> Any:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.timezone.utc)
    return value


def _frequencies(values: list[Any], *, texts: bool) -> dict[str, Any]:
    counts: Counter[Any] = Counter(values if _are_texts(values) else map(str if texts else bool, values))
    most = heapq.nsmallest(_MOST_VALUES, counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
    shown = [[_shown(value), count] for value, count in most]
    found: dict[str, Any] = {"distinct": len(counts), "top": shown}
    if texts:
        found["max_length"] = max(map(len, counts), default=0)
    return found


def _are_texts(values: list[Any]) -> bool:
    return set(map(type, values)) == {str}


def _shown(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value[:_MOST_SHOWN].encode("utf-8", "replace").decode()
