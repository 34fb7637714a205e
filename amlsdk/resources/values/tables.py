"""Tables a user logs: from rows, columns, frames or arrays to columns and rows that JSON can carry."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from amlsdk.errors import InvalidArgument
from amlsdk.records.names import listed
from amlsdk.resources.values.cells import HIGHEST, LOWEST, MOST_ITEMS, cell_of, json_of

__all__ = ["MOST_ITEMS", "json_of", "rows_of", "table_json"]

_ROWS_AT_ONCE = 10_000
Columns = dict[str, Sequence[Any]]


def table_json(value: Any) -> bytes:
    """Return a table as the JSON document `{"columns": [...], "rows": [[...], ...]}`; see `rows_of`."""
    import orjson

    columns = _cells_of(value)
    rows = zip(*columns.values(), strict=True)
    # A million rows alive at once would keep the garbage collector busy for longer than all the rest takes.
    parts = (orjson.dumps(part)[1:-1] for part in iter(lambda: list(itertools.islice(rows, _ROWS_AT_ONCE)), []))
    return b'{"columns":%s,"rows":[%s]}' % (orjson.dumps(list(columns)), b",".join(parts))


def rows_of(value: Any) -> tuple[list[str], list[list[Any]]]:
    """Return the column names and the rows of a table, each cell as JSON can carry it (see `json_of`).

    Args:
        value: A list of mappings, all with the same keys; a mapping of columns to sequences of one length, or to single
            values for a table of one row; a frame of pandas (an index that is not just a count becomes columns),
            polars or pyarrow; a NumPy array `(n, d)`, whose columns are "0" to "d-1", or a structured one `(n,)`.

    Raises:
        InvalidArgument: It is none of these, columns differ in length or rows in columns, a name is used twice, a cell
            can't be carried (the message names row and column), or there are more than 1 000 000 rows.
    """
    columns = _cells_of(value)
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def _cells_of(value: Any) -> dict[str, list[Any]]:
    columns = _columns_of(value)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = listed(f"{name!r} has {length}" for name, length in lengths.items())
        raise InvalidArgument(f"the columns of a table have one length; here {shown}")
    _check_count(next(iter(lengths.values()), 0))
    return {name: _cells(name, column) for name, column in columns.items()}


def _columns_of(value: Any) -> Columns:
    columns = _of_frame(value)
    if columns is not None:
        return columns
    if isinstance(value, Mapping):
        return _of_mapping(value)
    if callable(getattr(value, "__array__", None)):
        return _of_array(value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview)):
        return _of_rows(value)
    raise InvalidArgument(
        f"a table is a list of mappings, a mapping of columns, a frame or an array (n, d), not {type(value).__name__}"
    )


def _of_frame(value: Any) -> Columns | None:
    if _is_pandas(value, "DataFrame"):
        return _of_pandas(value)
    if _is_pandas(value, "Series"):
        return _of_pandas(value.to_frame())
    if callable(getattr(value, "to_pydict", None)):  # pyarrow: Table, RecordBatch
        return _named(zip(value.schema.names, (column.to_pylist() for column in value.columns), strict=True))
    if callable(getattr(value, "to_dict", None)) and callable(getattr(value, "get_columns", None)):  # polars
        return _named((column.name, column.to_list()) for column in value.get_columns())
    return None


def _is_pandas(value: Any, name: str) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, getattr(pandas, name))


def _of_pandas(frame: Any) -> Columns:
    _check_count(len(frame))
    pandas = sys.modules["pandas"]
    pairs: list[tuple[Any, Any]] = []
    index = frame.index
    if not isinstance(index, pandas.RangeIndex):
        for level in range(index.nlevels):
            values = index.get_level_values(level)
            pairs.append((values.name if values.name is not None else _index_name(index, level), list(values)))
    pairs += [(name, _pandas_column(frame.iloc[:, position])) for position, name in enumerate(frame.columns)]
    return _named(pairs)


def _index_name(index: Any, level: int) -> str:
    return "index" if index.nlevels == 1 else f"level_{level}"


def _pandas_column(column: Any) -> Sequence[Any]:
    # Lists of plain numbers need no look at each item's type later on; others keep their own scalars.
    return list(column.tolist() if getattr(column.dtype, "kind", "O") in "biuf" else column)


def _of_mapping(value: Mapping[Any, Any]) -> Columns:
    if value and all(_is_single(column) for column in value.values()):
        return _named((name, [column]) for name, column in value.items())
    return _named((name, _column(name, column)) for name, column in value.items())


def _is_single(column: Any) -> bool:
    if isinstance(column, (str, bytes, bytearray, memoryview)) or not hasattr(column, "__len__"):
        return True
    return getattr(column, "ndim", 1) == 0


def _column(name: Any, column: Any) -> Sequence[Any]:
    if isinstance(column, (list, tuple, range)):
        return column
    dimensions = getattr(column, "ndim", 1)
    if dimensions != 1 or _is_single(column) or isinstance(column, (Mapping, set, frozenset)):
        raise InvalidArgument(f"column {str(name)!r} of a table is a sequence of values, not {_form(column)}")
    return list(column)


def _form(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"an array of shape {tuple(shape)}" if shape is not None else type(value).__name__


def _of_array(value: Any) -> Columns:
    import numpy as np

    array = np.asarray(value)
    if array.dtype.names and array.ndim == 1:
        return _named((name, array[name]) for name in array.dtype.names)
    if array.ndim != 2:  # noqa: PLR2004  # rows and columns
        raise InvalidArgument(f"an array for a table has the shape (n, d), not {array.shape}")
    _check_count(len(array))
    columns = (array[:, position] for position in range(array.shape[1]))
    return _named((str(position), _array_column(column)) for position, column in enumerate(columns))


def _array_column(column: Any) -> Sequence[Any]:
    return list(column.tolist() if column.dtype.kind in "biufU" else column)


def _of_rows(rows: Sequence[Any]) -> Columns:
    _check_count(len(rows))
    if not rows:
        return {}
    if not isinstance(rows[0], Mapping):
        return _of_lists(rows)
    columns: dict[Any, list[Any]] = {name: [] for name in rows[0]}
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InvalidArgument(f"row {number} of a table is a mapping like row 0, not {type(row).__name__}")
        if row.keys() != columns.keys():
            raise InvalidArgument(_difference(number, row, columns))
        for name, column in columns.items():
            column.append(row[name])
    return _named(columns.items())


def _difference(number: int, row: Mapping[Any, Any], columns: Mapping[Any, Any]) -> str:
    lacks = [repr(name) for name in columns if name not in row]
    adds = [repr(name) for name in row if name not in columns]
    parts = [f"lacks {listed(lacks)}"] * bool(lacks) + [f"adds {listed(adds)}"] * bool(adds)
    return (
        f"the rows of a table have the same columns; row {number} {' and '.join(parts)} "
        "(None stands for a missing value)"
    )


def _of_lists(rows: Sequence[Any]) -> Columns:
    for number, row in enumerate(rows):
        if not isinstance(row, (list, tuple)) and getattr(row, "ndim", 0) != 1:
            raise InvalidArgument(f"row {number} of a table is a mapping or a list of values, not {type(row).__name__}")
        if len(row) != len(rows[0]):
            raise InvalidArgument(
                f"the rows of a table have one length; row 0 has {len(rows[0])} values, row {number} has {len(row)}"
            )
    return _named((str(position), column) for position, column in enumerate(zip(*rows, strict=True)))


def _named(pairs: Iterable[tuple[Any, Sequence[Any]]]) -> Columns:
    columns: Columns = {}
    for key, column in pairs:
        # The levels of a column of pandas with several.
        name = "/".join(map(str, key)) if isinstance(key, tuple) else str(key)
        if name in columns:
            raise InvalidArgument(f"two columns of a table have the name {name!r}; rename one")
        columns[name] = column
    return columns


def _check_count(rows: int) -> None:
    if rows > MOST_ITEMS:
        raise InvalidArgument(
            f"a table of {rows} rows: at most {MOST_ITEMS} are kept; write it to a file in outputs/ instead"
        )


def _cells(name: str, column: Sequence[Any]) -> list[Any]:
    if _is_plain(column):
        return list(column)
    try:
        return [cell_of(value, name) for value in column]
    except InvalidArgument:
        # Looked for only now: naming the place of every cell would double the cost of a large table.
        for row, value in enumerate(column):
            cell_of(value, f"row {row}, column {name!r}")
        raise


def _is_plain(column: Sequence[Any]) -> bool:
    """Whether all cells are carried as they are; a look at a whole column is ten times faster than at each cell."""
    kinds = set(map(type, column))
    if kinds == {float}:
        return all(map(math.isfinite, column))
    if kinds == {str}:
        return all(map(str.isascii, column))
    return kinds == {bool} or (kinds == {int} and min(column) >= LOWEST and max(column) <= HIGHEST)
