"""An ONNX model that predicts from rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amlsdk.errors import InvalidArgument
from amlsdk.plugins import require

__all__ = ["OnnxModel", "load_onnx"]

_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
_TABLE = 2


class OnnxModel:
    """An ONNX model in memory.

    Args:
        session: An `onnxruntime.InferenceSession`.

    Attributes:
        session: The session, for outputs beyond the first and for other kinds of input.
    """

    def __init__(self, session: Any) -> None:
        self.session = session

    def __repr__(self) -> str:
        inputs = ", ".join(f"{each.name}: {each.type}{each.shape}" for each in self.session.get_inputs())
        return f"OnnxModel({inputs})"

    def predict(self, rows: Any) -> Any:
        """First output of the model for rows of input, as a numpy array whose first axis is that of the rows.

        Args:
            rows: A frame, an array `(n, d)`, a list of rows, a list of dicts, or a dict of columns. A model with
                several inputs takes columns by the names of its inputs where rows have names, else by position.

        Raises:
            InvalidArgument: The rows don't fit the model's inputs.
        """
        inputs = self.session.get_inputs()
        feed = _one(inputs[0], rows) if len(inputs) == 1 else _several(inputs, rows)
        try:
            output = self.session.run(None, feed)[0]
        except Exception as error:  # the runtime has many errors and no common root but this
            raise InvalidArgument(f"the ONNX model can't take these rows: {error}") from error
        return require("numpy", extra="onnx").asarray(output)


def load_onnx(file: Path) -> OnnxModel:
    """Open an ONNX file, on a GPU where the installed runtime has one.

    Raises:
        InvalidArgument: The runtime can't read it.
        MissingDependency: `onnxruntime` is not installed.
    """
    runtime = require("onnxruntime", extra="onnx")
    available = set(runtime.get_available_providers())
    providers = [each for each in _PROVIDERS if each in available]
    try:
        return OnnxModel(runtime.InferenceSession(str(file), providers=providers))
    except Exception as error:  # the runtime has many errors and no common root but this
        raise InvalidArgument(f"{file.name!r} is not an ONNX model this runtime can read: {error}") from error


def _one(wanted: Any, rows: Any) -> dict[str, Any]:
    columns = _columns(rows)
    if columns is None:
        return {wanted.name: _array(wanted, rows)}
    if set(columns) == {wanted.name}:
        return {wanted.name: _shaped(wanted, _array(wanted, columns[wanted.name]))}
    arrays = [_array(wanted, column) for column in columns.values()]
    return {wanted.name: require("numpy", extra="onnx").stack(arrays, axis=-1)}


def _several(inputs: Sequence[Any], rows: Any) -> dict[str, Any]:
    columns = _columns(rows)
    if columns is None:
        columns = _by_position(inputs, rows)
    missing = [each.name for each in inputs if each.name not in columns]
    if missing:
        raise InvalidArgument(
            f"the ONNX model needs columns {', '.join(each.name for each in inputs)}; "
            f"missing: {', '.join(missing)}; given: {', '.join(map(str, columns))}"
        )
    return {each.name: _shaped(each, _array(each, columns[each.name])) for each in inputs}


def _by_position(inputs: Sequence[Any], rows: Any) -> dict[str, Any]:
    table = require("numpy", extra="onnx").asarray(rows, dtype=object)
    widths = [each.shape[1] if len(each.shape) == _TABLE and isinstance(each.shape[1], int) else 1 for each in inputs]
    if table.ndim != _TABLE or table.shape[1] != sum(widths):
        raise InvalidArgument(f"the ONNX model takes rows of {sum(widths)} values, not of shape {table.shape}")
    ends = [sum(widths[: place + 1]) for place in range(len(widths))]
    return {each.name: table[:, end - width : end] for each, width, end in zip(inputs, widths, ends, strict=True)}


def _columns(rows: Any) -> dict[str, Any] | None:
    """Columns by name, or None where rows have no names."""
    if isinstance(rows, Mapping):
        return dict(rows)
    if hasattr(rows, "columns") and hasattr(rows, "__getitem__"):
        return {str(name): rows[name] for name in rows.columns}
    if isinstance(rows, (list, tuple)) and rows and all(isinstance(row, Mapping) for row in rows):
        names = list(rows[0])
        other = next((row for row in rows if set(row) != set(names)), None)
        if other is not None:
            raise InvalidArgument(f"rows differ in their names: {sorted(names)} and {sorted(other)}")
        return {str(name): [row[name] for row in rows] for name in names}
    return None


def _shaped(wanted: Any, array: Any) -> Any:
    return array.reshape(-1, 1) if len(wanted.shape) == _TABLE and array.ndim == 1 else array


def _array(wanted: Any, values: Any) -> Any:
    """Values as the array of the type that an input wants (`tensor(float)`, `tensor(string)`, ...)."""
    numpy = require("numpy", extra="onnx")
    word = wanted.type.removeprefix("tensor(").removesuffix(")")
    kind = {"float": "float32", "double": "float64", "string": "object"}.get(word, word)
    try:
        array = numpy.asarray(values)
        cast = numpy.asarray(array.astype(str), dtype=object) if kind == "object" else array.astype(kind)
        if "int" in kind and not numpy.array_equal(cast, array):
            raise ValueError("some of them are no such numbers")  # noqa: TRY301  # as a failed cast says it
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"input {wanted.name!r} takes {word} values: {error}") from error
    return cast
