"""Confusion matrices, in the form that azureml-core's `log_confusion_matrix` takes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from amlsdk.errors import InvalidArgument
from amlsdk.resources.values.cells import cell_of

__all__ = ["confusion_matrix_json"]

_MOST_CLASSES = 2000
_FORM = (
    '{"schema_type": "confusion_matrix", "data": {"class_labels": [...], "matrix": [[...], ...]}}, '
    "(labels, matrix), or the matrix alone"
)


def confusion_matrix_json(value: Any) -> bytes:
    """Return a confusion matrix as JSON: rows are true classes, columns predicted ones.

    Args:
        value: `{"schema_type": "confusion_matrix", "data": {"class_labels", "matrix"}}` as a mapping or JSON text, its
            `data` alone, a pair of labels and matrix, or the matrix alone, whose labels are then "0" to "n-1". The
            matrix is a list of lists or an array `(n, n)` of counts or shares.

    Raises:
        InvalidArgument: It has another form, is not square, does not fit its labels, or a label is there twice, or a
            count is negative or not finite.
    """
    labels, matrix = _parts(value)
    names = [str(label) for label in _plain(labels, "class_labels")]
    rows = _plain(matrix, "matrix")
    _check(names, rows)
    data = {"class_labels": names, "matrix": rows}
    document = {"schema_type": "confusion_matrix", "schema_version": "v1", "data": data}
    return json.dumps(document, ensure_ascii=False).encode()


def _parts(value: Any) -> tuple[Any, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise InvalidArgument(f"a confusion matrix is {_FORM}; this text is not JSON: {error}") from error
    if isinstance(value, Mapping):
        data = value.get("data", value)
        right = value.get("schema_type", "confusion_matrix") == "confusion_matrix" and isinstance(data, Mapping)
        if right and "class_labels" in data and "matrix" in data:
            return data["class_labels"], data["matrix"]
        raise InvalidArgument(f"a confusion matrix is {_FORM}; this mapping has {sorted(map(str, value))}")
    if _is_pair(value):
        return value[0], value[1]
    if _is_listed(value):
        return range(len(value)), value
    raise InvalidArgument(f"a confusion matrix is {_FORM}, not {type(value).__name__}")


def _is_pair(value: Any) -> bool:
    if not isinstance(value, Sequence) or len(value) != 2:  # noqa: PLR2004  # labels and matrix
        return False
    # A list of two may also be a matrix of two rows; a matrix has rows, and a row has none.
    second = value[1]
    return isinstance(value, tuple) or (_is_listed(second) and len(second) > 0 and _is_listed(second[0]))


def _is_listed(value: Any) -> bool:
    if isinstance(value, (str, bytes)):
        return False
    return isinstance(value, Sequence) or getattr(value, "ndim", 0) > 0


def _plain(value: Any, what: str) -> list[Any]:
    plain = cell_of(value, f"{what} of a confusion matrix")
    if not isinstance(plain, list):
        raise InvalidArgument(f"{what} of a confusion matrix is a sequence, not {type(value).__name__}")
    return plain


def _check(names: list[str], rows: list[Any]) -> None:
    size = len(names)
    if not 1 <= size <= _MOST_CLASSES:
        raise InvalidArgument(f"a confusion matrix has 1 to {_MOST_CLASSES} classes, not {size}")
    if len(set(names)) != size:
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidArgument(f"the label {twice!r} of a confusion matrix is there twice")
    if len(rows) != size:
        raise InvalidArgument(f"a confusion matrix of {size} labels has {size} rows, not {len(rows)}")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != size:
            found = len(row) if isinstance(row, list) else type(row).__name__
            raise InvalidArgument(f"row {number} of a confusion matrix has {size} counts, not {found}")
        for column, count in enumerate(row):
            _check_count(count, number, column)


def _check_count(count: Any, row: int, column: int) -> None:
    number = isinstance(count, (int, float)) and not isinstance(count, bool)
    if not number or not math.isfinite(count) or count < 0:
        raise InvalidArgument(
            f"row {row}, column {column} of a confusion matrix is a count of 0 or more, not {count!r}"
        )
