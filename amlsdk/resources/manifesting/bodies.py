"""Data to the body of a scoring request, checked before anything is sent, and the reply back to values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from amlsdk.errors import InvalidArgument
from amlsdk.records.serving import ColumnSpec, InputSpec, ServiceSpec
from amlsdk.resources.manifesting.columns import is_missing, plain_cell
from amlsdk.resources.manifesting.samples import is_frame, plain, to_pandas

__all__ = ["from_reply", "to_body"]

_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_body(spec: ServiceSpec, data: Any) -> dict[str, Any]:
    """Return the body of a request.

    Args:
        spec: The contract of the service.
        data: A frame, Series, array or rows for the only input; a mapping of inputs by name where there are several.
            Columns of a frame that the service does not know are left out.

    Raises:
        InvalidArgument: It does not fit the contract; the message names row and column.
    """
    names = [each.name for each in spec.inputs]
    if isinstance(data, Mapping) and set(data) == set(names):
        return {each.name: _value(each, data[each.name]) for each in spec.inputs}
    if len(names) != 1:
        found = f"{', '.join(map(str, data))}" if isinstance(data, Mapping) else f"a {type(data).__name__}"
        raise InvalidArgument(f"this service takes a mapping of {', '.join(names) or 'nothing'}, not {found}")
    return {names[0]: _value(spec.inputs[0], data)}


def from_reply(spec: ServiceSpec, reply: Mapping[str, Any]) -> Any:
    """Return the result that a reply has: NaN and infinity, which JSON lacks, as numbers again."""
    return _with_numbers(reply["result"], spec.output)


def _value(spec: InputSpec, value: Any) -> Any:
    return _TAKE[spec.kind](spec, to_pandas(value))


def _take_frame(spec: InputSpec, value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        value = _rows_of_columns(value)
    if is_frame(value):
        return _of_frame(spec, value)
    if not isinstance(value, (str, bytes, Sequence)) and hasattr(value, "__array__"):
        value = _of_array(spec, value)
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise InvalidArgument(
            f"{spec.name}: a frame, an array or a list of rows is expected, not {type(value).__name__}"
        )
    if not value:
        raise InvalidArgument(f"{spec.name}: at least one row is expected")
    return [_row(spec, row, f"{spec.name}[{number}]") for number, row in enumerate(value)]


def _rows_of_columns(columns: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """One row of scalars, or the rows of columns."""
    lists = [value for value in columns.values() if isinstance(value, (list, tuple)) or hasattr(value, "tolist")]
    if not lists:
        return [{str(name): value for name, value in columns.items()}]
    lengths = {len(value) if hasattr(value, "__len__") else 1 for value in columns.values()}
    if len(lists) < len(columns) or len(lengths) > 1:
        raise InvalidArgument(f"a mapping of columns has lists of one length, not of {sorted(lengths)}")
    names = [str(name) for name in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _of_frame(spec: InputSpec, frame: Any) -> list[Any]:
    by_name = {str(label): place for place, label in enumerate(frame.columns)}
    missing = [column.name for column in spec.columns if column.name not in by_name]
    if missing:
        raise InvalidArgument(
            f"{spec.name}: the frame lacks the columns {', '.join(missing[:8])}; it has {', '.join(list(by_name)[:16])}"
        )
    if len(frame) == 0:
        raise InvalidArgument(f"{spec.name}: at least one row is expected")
    columns = [_cells(spec.name, column, frame.iloc[:, by_name[column.name]].tolist()) for column in spec.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _of_array(spec: InputSpec, array: Any) -> list[Any]:
    shape = tuple(array.shape)
    if len(shape) != 2 or shape[1] != len(spec.columns):  # noqa: PLR2004  # rows and columns
        raise InvalidArgument(f"{spec.name}: an array (n, {len(spec.columns)}) is expected, not {shape}")
    rows: list[Any] = array.tolist()
    return rows


def _row(spec: InputSpec, row: Any, where: str) -> list[Any]:
    columns = spec.columns
    if isinstance(row, Mapping):
        names = [column.name for column in columns]
        unknown = [name for name in row if name not in names]
        missing = [name for name in names if name not in row]
        if unknown or missing:
            wrong = f"there is no column {unknown[0]!r}" if unknown else f"a value of {missing[0]!r} is missing"
            raise InvalidArgument(f"{where}: {wrong}; the columns are {', '.join(names[:16])}")
        row = [row[name] for name in names]
    if not isinstance(row, Sequence) or isinstance(row, (str, bytes)):
        raise InvalidArgument(
            f"{where}: a mapping or a list of {len(columns)} values is expected, not {type(row).__name__}"
        )
    if len(row) != len(columns):
        raise InvalidArgument(f"{where}: {len(columns)} values are expected, not {len(row)}")
    return [_cell(column, value, f"{where}.{column.name}") for column, value in zip(columns, row, strict=True)]


def _cells(name: str, column: ColumnSpec, values: Sequence[Any]) -> list[Any]:
    return [_cell(column, value, f"{name}[{number}].{column.name}") for number, value in enumerate(values)]


_KINDS: dict[str, type | tuple[type, ...]] = {"number": (int, float), "integer": int, "boolean": bool, "string": str}


def _cell(column: ColumnSpec, value: Any, where: str) -> Any:
    if is_missing(value):
        if column.nullable:
            return None
        raise InvalidArgument(f"{where}: {_expected(column)} is expected; it is missing")
    value = value.item() if hasattr(value, "dtype") and hasattr(value, "item") else value
    kinds = _KINDS.get(column.kind)
    is_whole = column.kind == "integer" and isinstance(value, float) and value.is_integer()
    fits = kinds is None or isinstance(value, kinds) or is_whole
    if not fits or (isinstance(value, bool) and column.kind != "boolean"):
        raise InvalidArgument(f"{where}: {_expected(column)} is expected, not {value!r:.60}")
    if column.kind == "number" and not math.isfinite(value):
        raise InvalidArgument(f"{where}: a number is expected, not {value}; JSON has no infinite ones")
    return plain_cell(column.name, column.kind, value)


def _expected(column: ColumnSpec) -> str:
    return {"integer": "an integer", "boolean": "true or false", "datetime": "a time"}.get(
        column.kind, f"a {column.kind}"
    )


def _take_array(spec: InputSpec, value: Any) -> Any:
    import numpy as np

    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InvalidArgument(f"{spec.name}: its lists have different lengths: {error}") from error
    wanted = spec.shape
    pairs = zip(wanted, array.shape, strict=False)
    if len(array.shape) != len(wanted) or any(want not in (None, found) for want, found in pairs):
        shown = ", ".join("n" if length is None else str(length) for length in wanted)
        raise InvalidArgument(f"{spec.name}: an array ({shown}) is expected, not {array.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidArgument(f"{spec.name}: it holds NaN or infinite numbers, which JSON has not")
    return array.tolist()


def _take_json(spec: InputSpec, value: Any) -> Any:
    if is_frame(value):
        value = value.to_dict("records")
    return plain(value, spec.name)


_TAKE: dict[str, Callable[[InputSpec, Any], Any]] = {"frame": _take_frame, "array": _take_array, "json": _take_json}


def _with_numbers(value: Any, schema: Mapping[str, Any]) -> Any:
    """Make numbers of the texts that stand for what JSON lacks, where the schema says that numbers are there."""
    if isinstance(value, list):
        items = schema.get("items")
        return [_with_numbers(each, items) for each in value] if isinstance(items, dict) else value
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        return {name: _with_numbers(each, fields.get(name, {})) for name, each in value.items()}
    if isinstance(value, str) and value in _NUMBERS and {"type": "number"} in schema.get("anyOf", ()):
        return _NUMBERS[value]
    return value
