"""Fewer points that make the same picture."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

from amlsdk.local.columns import Columns

__all__ = ["thinned"]


def thinned(columns: Columns, max_points: int) -> Columns:
    """Return at most so many points: the first, the last, and the extremes of equal stretches between them.

    Args:
        columns: Points in order.
        max_points: 1 or more; 1 gives the last point, 3 what 2 gives.
    """
    count = len(columns.values)
    if count <= max_points:
        return columns
    places = [0, *_extremes(columns.values, (max_points - 2) // 2), count - 1][-max_points:]
    return Columns(
        steps=array("q", map(columns.steps.__getitem__, places)),
        times_us=array("q", map(columns.times_us.__getitem__, places)),
        values=array("d", map(columns.values.__getitem__, places)),
    )


def _extremes(values: array[float], stretches: int) -> Iterator[int]:
    between = len(values) - 2
    for number in range(max(0, stretches)):
        start, stop = (1 + between * part // stretches for part in (number, number + 1))
        yield from sorted(_extremes_of(values, start, stop))


def _extremes_of(values: array[float], start: int, stop: int) -> set[int]:
    stretch = values[start:stop]
    numbers = stretch
    if math.isnan(sum(stretch)):
        numbers = array("d", (value for value in stretch if not math.isnan(value)))
    if not numbers:
        return {start}
    return {start + stretch.index(min(numbers)), start + stretch.index(max(numbers))}
