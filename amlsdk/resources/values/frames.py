"""Tabular data of several kinds, as columns."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from amlsdk.errors import InvalidArgument

__all__ = ["Frame", "frame_of", "is_pandas", "to_pandas"]


@attrs.frozen
class Frame:
    """Columns of data.

    Args:
        rows: How many there are.
        names: Of the columns, in order; one may be there twice.
        columns: Of each, pairs of its dtype (None where it has none) and its values: a Series, an array or a list.
    """

    rows: int
    names: tuple[str, ...]
    columns: Iterable[tuple[str | None, Any]]

    def sampled(self, most: int) -> Iterator[tuple[str | None, Any]]:
        """Iterate over the columns, each reduced to the same `most` rows where it has more.

        One row is drawn from each of `most` stretches of equal length, so that no period of the data can hide; with a
        fixed seed, so that equal data give equal samples.
        """
        if self.rows <= most:
            yield from self.columns
            return
        draw = random.Random(0).random  # noqa: S311  # a sample, no secret
        positions = [min(int((place + draw()) * self.rows / most), self.rows - 1) for place in range(most)]
        for dtype, values in self.columns:
            yield dtype, _taken(values, positions)


def _taken(values: Any, positions: list[int]) -> Any:
    if hasattr(values, "iloc"):
        return values.iloc[positions]
    return [values[position] for position in positions] if isinstance(values, list) else values[positions]


def is_pandas(value: Any) -> bool:
    """Say whether a value is a DataFrame of pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def to_pandas(value: Any) -> Any:
    """Return frames of polars and pyarrow, and Series, as a DataFrame of pandas; anything else as it is."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, (pandas.Series, pandas.Index)):
        return value.to_frame()
    if not is_pandas(value) and callable(getattr(value, "to_pandas", None)):
        return value.to_pandas()
    return value


def frame_of(value: Any) -> Frame:
    """Return tabular data as columns.

    Args:
        value: A frame of pandas, or of polars or pyarrow where pandas is installed; a NumPy array `(n,)`, `(n, d)` or
            a structured one; a list of mappings, where a missing key is a missing value; a mapping of columns.

    Raises:
        InvalidArgument: It is none of these.
    """
    value = to_pandas(value)
    if is_pandas(value):
        columns = (value.iloc[:, position] for position in range(value.shape[1]))
        pairs = ((str(column.dtype), column) for column in columns)
        return Frame(len(value), tuple(map(_name, value.columns)), pairs)
    if isinstance(value, Mapping):
        return _of_lists({str(name): list(column) for name, column in value.items()})
    if hasattr(value, "__array__"):
        return _of_array(value)
    if isinstance(value, Sequence) and all(isinstance(row, Mapping) for row in value):
        names = dict.fromkeys(name for row in value for name in row)
        return _of_lists({str(name): [row.get(name) for row in value] for name in names}, rows=len(value))
    raise InvalidArgument(
        f"data are a frame, an array (n, d), a list of mappings or a path, not {type(value).__module__}."
        f"{type(value).__qualname__}"
    )


def _name(name: Any) -> str:
    return "/".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _of_lists(columns: Mapping[str, list[Any]], rows: int = 0) -> Frame:
    lengths = {len(column) for column in columns.values()} or {rows}
    if len(lengths) > 1:
        raise InvalidArgument(f"the columns of data have one length, not {sorted(lengths)}")
    return Frame(lengths.pop(), tuple(columns), tuple((None, column) for column in columns.values()))


def _of_array(value: Any) -> Frame:
    import numpy as np

    array = np.asarray(value)
    if array.dtype.names and array.ndim == 1:
        pairs = tuple((str(array[name].dtype), array[name]) for name in array.dtype.names)
        return Frame(len(array), tuple(array.dtype.names), pairs)
    if array.ndim not in {1, 2}:
        raise InvalidArgument(f"an array of data has the shape (n,) or (n, d), not {array.shape}")
    table = array[:, np.newaxis] if array.ndim == 1 else array
    names = tuple(map(str, range(table.shape[1])))
    return Frame(len(table), names, ((str(table.dtype), column) for column in table.T))
