"""Sample data become a request: real JSON by argument of `run`, and what each argument must be."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.records.serving import ColumnSpec, InputSpec
from amlsdk.resources.manifesting.columns import MOST_ROWS, column_of_list, column_of_series
from amlsdk.resources.manifesting.schemas import array_schema, frame_schema, json_schema

__all__ = ["Rows", "Sample", "described", "is_frame", "plain", "rows_of", "sample_of", "to_pandas"]

_ARRAY_KINDS = {"b": "boolean", "i": "integer", "u": "integer", "f": "number", "U": "string"}
_MOST_DEPTH = 64


@attrs.frozen(kw_only=True)
class Sample:
    """A request, and what requests must be.

    Args:
        inputs: The arguments of `run`.
        body: A value of each by name, at most the first ten rows.
    """

    inputs: tuple[InputSpec, ...]
    body: Mapping[str, Any]

    def renamed(self, name: str) -> Sample:
        """Return this for a script that calls its only argument otherwise."""
        return Sample(inputs=(attrs.evolve(self.inputs[0], name=name),), body={name: next(iter(self.body.values()))})


def sample_of(data: Any, parameters: Sequence[str], *, required: Sequence[str], tabular: bool) -> Sample:
    """Describe sample data.

    Args:
        data: A frame, Series, array, list, mapping or scalar; a mapping whose keys are parameters has a value of each.
        parameters: Names of the arguments of `run`.
        required: Those of them without a default.
        tabular: Lists of rows are tables or arrays: what a model's own `predict` takes.

    Raises:
        InvalidArgument: It does not fit the parameters, or holds what JSON has no form for; the message names it.
    """
    given = _by_parameter(data, parameters, required)
    pairs = {name: _input(name, value, tabular=tabular) for name, value in given.items()}
    return Sample(
        inputs=tuple(spec for spec, _ in pairs.values()), body={name: value for name, (_, value) in pairs.items()}
    )


@attrs.frozen
class Rows:
    """The first rows of a table.

    Args:
        columns: What its values are.
        rows: Each an object by column, as JSON.
    """

    columns: tuple[ColumnSpec, ...]
    rows: tuple[Mapping[str, Any], ...]


def rows_of(data: Any) -> Rows | None:
    """Return the first rows of tabular data; None where data are no table, or hold what JSON has no form for."""
    try:
        spec, rows = _input("data", data, tabular=True)
    except InvalidArgument:
        return None
    return Rows(spec.columns, tuple(rows)) if spec.kind == "frame" else None


def described(spec: InputSpec) -> InputSpec:
    """Return what an argument must be, with the schema of the columns that it has now."""
    return attrs.evolve(spec, schema=frame_schema(spec.columns)) if spec.kind == "frame" else spec


def _by_parameter(data: Any, parameters: Sequence[str], required: Sequence[str]) -> dict[str, Any]:
    if isinstance(data, Mapping) and data and set(required) <= set(data) <= set(parameters):
        return {name: data[name] for name in parameters if name in data}
    wanted = list(required) or list(parameters[:1])
    if len(wanted) == 1:
        return {wanted[0]: data}
    if not wanted:
        raise InvalidArgument("run() has no arguments, so that no request can tell it anything; give it one: run(data)")
    found = f"has {', '.join(map(str, data))}" if isinstance(data, Mapping) else f"is a {type(data).__name__}"
    raise InvalidArgument(
        f"run() has the arguments {', '.join(parameters)}, but the sample {found}; give a mapping with a value of each"
    )


def _input(name: str, value: Any, *, tabular: bool) -> tuple[InputSpec, Any]:
    value = to_pandas(value)
    if isinstance(value, Rows):
        spec = InputSpec(name=name, kind="frame", schema=frame_schema(value.columns), columns=value.columns)
        return spec, [dict(row) for row in value.rows]
    if is_frame(value):
        return _frame(name, _series_of(value))
    if not isinstance(value, (str, bytes, Mapping, Sequence)) and hasattr(value, "__array__"):
        return _array(name, value)
    if tabular and _are_rows(value, Mapping):
        return _frame(name, _lists_of(name, value))
    if tabular and _are_rows(value, (Sequence, int, float)):
        return _array(name, value)
    shown = plain(value[:MOST_ROWS] if _are_rows(value, (Mapping, Sequence)) else value, name)
    return InputSpec(name=name, kind="json", schema=json_schema(shown, closed=False)), shown


def _are_rows(value: Any, kinds: Any) -> bool:
    is_list = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    return is_list and len(value) > 0 and all(isinstance(row, kinds) for row in value)


def is_frame(value: Any) -> bool:
    """Say whether a value is a DataFrame of pandas."""
    return _is_a(value, "DataFrame")


def _is_a(value: Any, kind: str) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, getattr(pandas, kind))


def to_pandas(value: Any) -> Any:
    """Return frames of polars and pyarrow, and Series, as DataFrames; anything else as it is.

    A Series is a row where its index has names, else a column.
    """
    if _is_a(value, "Series"):
        is_row = all(isinstance(label, str) for label in value.index)
        return value.to_frame().T.infer_objects() if is_row else value.to_frame()
    if not is_frame(value) and callable(getattr(value, "to_pandas", None)):
        return to_pandas(value.to_pandas())
    return value


_Columns = list[tuple[ColumnSpec, list[Any]]]


def _series_of(frame: Any) -> _Columns:
    if len(frame) == 0:
        raise InvalidArgument("the sample has no rows; give at least one")
    return [column_of_series(_name(label), frame.iloc[:, place]) for place, label in enumerate(frame.columns)]


def _name(label: Any) -> str:
    return "/".join(map(str, label)) if isinstance(label, tuple) else str(label)


def _lists_of(name: str, rows: Sequence[Mapping[Any, Any]]) -> _Columns:
    names = dict.fromkeys(str(key) for row in rows for key in row)
    if any(isinstance(value, (Mapping, list, tuple)) for row in rows for value in row.values()):
        raise InvalidArgument(
            f"{name!r} of the sample has rows that hold lists or objects; a table has one value a cell"
        )
    return [column_of_list(each, [row.get(each) for row in rows]) for each in names]


def _frame(name: str, columns: _Columns) -> tuple[InputSpec, Any]:
    specs = [spec for spec, _ in columns]
    names = [spec.name for spec in specs]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise InvalidArgument(f"the sample has several columns {twice[0]!r}; give each a name of its own")
    if not specs:
        raise InvalidArgument("the sample has no columns")
    rows = [dict(zip(names, row, strict=True)) for row in zip(*(values for _, values in columns), strict=True)]
    return InputSpec(name=name, kind="frame", schema=frame_schema(specs), columns=tuple(specs)), rows


def _array(name: str, value: Any) -> tuple[InputSpec, Any]:
    import numpy as np

    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InvalidArgument(f"{name!r} of the sample has rows of different lengths: {error}") from error
    if array.dtype == object:
        array = np.asarray(array.tolist())
    kind = _ARRAY_KINDS.get(array.dtype.kind)
    if kind is None:
        raise InvalidArgument(f"{name!r} of the sample is an array of {array.dtype}, for which JSON has no form")
    if array.ndim == 0:
        plain = array.item()
        return InputSpec(name=name, kind="json", schema=json_schema(plain)), plain
    if array.size == 0:
        raise InvalidArgument(
            f"{name!r} of the sample is an empty array of the shape {array.shape}; give at least one row"
        )
    if kind == "number" and not np.isfinite(array).all():
        raise InvalidArgument(f"{name!r} of the sample is an array with NaN or infinite numbers; JSON has none of them")
    # Numbers in one row may be the features of one thing: half of them would be another thing.
    shown = array if array.ndim == 1 and kind != "string" else array[:MOST_ROWS]
    shape = (None, *array.shape[1:])
    dtype = "str" if kind == "string" else str(array.dtype)
    return InputSpec(
        name=name, kind="array", schema=array_schema(kind, shape), dtype=dtype, shape=shape
    ), shown.tolist()


def plain(value: Any, place: str, depth: int = 0) -> Any:
    """Return a value as JSON has it.

    Raises:
        InvalidArgument: JSON has no form for it; the message names the place.
    """
    if depth > _MOST_DEPTH:
        raise InvalidArgument(f"{place} of the sample is nested deeper than {_MOST_DEPTH} levels")
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidArgument(f"{place} of the sample is {value}, for which JSON has no form")
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{place}[{key!r}]", depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{place}[{number}]", depth + 1) for number, item in enumerate(value)]
    raise InvalidArgument(
        f"{place} of the sample is a {type(value).__module__}.{type(value).__qualname__}, for which JSON has no form; "
        "give lists, mappings, numbers, texts, true, false or None"
    )
