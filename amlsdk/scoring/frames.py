"""Tables: from rows in JSON to a numpy array or a pandas DataFrame."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from amlsdk.records.serving import ColumnSpec, InputSpec
from amlsdk.scoring.replies import Problem
from amlsdk.scoring.scalars import check_scalar, json_name, needs_look, scalar_type, time_of

__all__ = ["FrameInput"]

Rows = list[tuple[Any, ...]]

# Those numpy reads from a list by itself; the others are pandas's, or need its rules for missing values.
_NUMPY_DTYPE = re.compile(r"(float(16|32|64)|u?int(8|16|32|64)|bool)")


class FrameInput:
    """An argument that is a table.

    Attributes:
        type: By which msgspec reads it; `Any` where it can only be read by hand.
        batches: Whether rows of several requests can be put together.
    """

    batches = True

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self._names = [column.name for column in spec.columns]
        self._looked_at = [(at, column) for at, column in enumerate(spec.columns) if needs_look(column)]
        self._dtype = _common_dtype(spec.columns) if spec.as_array else None
        self.type = _rows_type(spec.columns)

    def take(self, rows: Any) -> Rows:
        """Return the rows of a value that msgspec read by `type`."""
        if self.type is Any:
            return self.take_by_hand(rows)
        if not rows:
            raise Problem(f"{self.spec.name}: at least one row is expected")
        taken = [row if type(row) is tuple else msgspec.structs.astuple(row) for row in rows]
        for at, column in self._looked_at:
            for number, row in enumerate(taken):
                check_scalar(column, row[at], f"{self.spec.name}[{number}].{column.name}")
        return taken

    def take_by_hand(self, value: Any) -> Rows:
        """Return the rows of any JSON value.

        Raises:
            Problem: It is not as the columns have it.
        """
        if not isinstance(value, list) or not value:
            found = "none" if value == [] else json_name(value)
            raise Problem(f"{self.spec.name}: a list of at least one row is expected, not {found}")
        return [self._row(row, f"{self.spec.name}[{number}]") for number, row in enumerate(value)]

    def count(self, rows: Rows) -> int:
        """Return how many rows there are."""
        return len(rows)

    def join(self, parts: Sequence[Rows]) -> Any:
        """Return the argument for `run`, of the rows of one or more requests."""
        rows = parts[0] if len(parts) == 1 else [row for part in parts for row in part]
        if self._dtype is None:
            return _table(self.spec.columns, rows)
        import numpy as np

        return np.array(rows, dtype=self._dtype)

    def _row(self, row: Any, where: str) -> tuple[Any, ...]:
        columns = self.spec.columns
        if isinstance(row, list):
            if len(row) != len(columns):
                raise Problem(f"{where}: {len(columns)} values are expected, not {len(row)}")
            values = row
        elif isinstance(row, dict):
            self._check_names(row, where)
            values = [row[name] for name in self._names]
        else:
            raise Problem(f"{where}: an object or a list is expected, not {json_name(row)}")
        pairs = zip(columns, values, strict=True)
        return tuple(check_scalar(column, value, f"{where}.{column.name}") for column, value in pairs)

    def _check_names(self, row: dict[str, Any], where: str) -> None:
        missing = [name for name in self._names if name not in row]
        if missing:
            raise Problem(f"{where}.{missing[0]}: a value is missing")
        unknown = [name for name in row if name not in self._names]
        if unknown:
            raise Problem(f"{where}: there is no column {unknown[0][:64]!r}")


def _rows_type(columns: Sequence[ColumnSpec]) -> Any:
    types = [scalar_type(column) for column in columns]
    fields = [f"c{at}" for at in range(len(columns))]
    try:
        row = msgspec.defstruct(
            "Row",
            list(zip(fields, types, strict=True)),
            rename=dict(zip(fields, (column.name for column in columns), strict=True)),
            forbid_unknown_fields=True,
            gc=False,
        )
    except ValueError:
        # A name occurs twice, or has characters that msgspec has no fields for, such as quotes.
        return Any
    return list[row | tuple[tuple(types)]]  # type: ignore[misc]


def _common_dtype(columns: Sequence[ColumnSpec]) -> Any:
    import numpy as np

    plain = [column.dtype for column in columns if _NUMPY_DTYPE.fullmatch(column.dtype)]
    if len(plain) != len(columns):
        return np.dtype("float64")
    dtype = np.result_type(*plain)
    missing = any(column.nullable for column in columns)
    return dtype if dtype.kind == "f" or not missing else np.dtype("float64")


def _table(columns: Sequence[ColumnSpec], rows: Rows) -> Any:
    import pandas as pd

    series = [_series(column, list(values)) for column, values in zip(columns, zip(*rows, strict=True), strict=True)]
    # Not a dictionary of columns: a name may occur twice.
    frame = pd.DataFrame(dict(enumerate(series)), copy=False)
    frame.columns = pd.Index([column.name for column in columns])
    return frame


def _series(column: ColumnSpec, values: list[Any]) -> Any:
    if _NUMPY_DTYPE.fullmatch(column.dtype) and (not column.nullable or column.dtype.startswith("float")):
        import numpy as np

        return np.array(values, dtype=column.dtype)
    import pandas as pd

    if column.dtype == "category":
        return pd.Categorical(_known(column, values), categories=_categories(column))
    if column.kind == "datetime":
        return _times(column, values)
    if _NUMPY_DTYPE.fullmatch(column.dtype) and None in values:
        # No integer is missing in numpy: pandas takes the type that has one.
        return pd.Series(values)
    return pd.Series(values, dtype=column.dtype)


def _categories(column: ColumnSpec) -> list[Any] | None:
    if not column.categories:
        return None
    readers: dict[str, Callable[[str], Any]] = {"number": float, "integer": int, "boolean": "True".__eq__}
    return [readers.get(column.kind, str)(category) for category in column.categories]


def _known(column: ColumnSpec, values: list[Any]) -> list[Any]:
    return [float(value) for value in values] if column.kind == "number" and None not in values else values


def _times(column: ColumnSpec, values: list[Any]) -> Any:
    import pandas as pd

    # Times without an offset are taken for UTC, and where the column has none, the offset is applied and dropped.
    times = [None if value is None else time_of(value) for value in values]
    utc = [time if time is None or time.tzinfo else time.replace(tzinfo=dt.timezone.utc) for time in times]
    series = pd.Series(pd.to_datetime(utc, utc=True))
    if "," not in column.dtype:
        series = series.dt.tz_localize(None)
    return series.astype(column.dtype) if column.dtype.startswith("datetime64[") else series
