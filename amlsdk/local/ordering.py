"""Points in the order of (step, time, writer, offset)."""

from __future__ import annotations

import operator
from array import array
from itertools import islice

from amlsdk.local.columns import Columns

__all__ = ["in_order"]


def in_order(columns: Columns) -> Columns:
    """Return points that come by writer and offset, in the order of (step, time, writer, offset)."""
    keys = list(zip(columns.steps, columns.times_us, strict=True))
    if all(map(operator.le, keys, islice(keys, 1, None))):
        return columns
    # The sort is stable: what stands in the order of writer and offset stays in it where step and time are the same.
    places = sorted(range(len(keys)), key=keys.__getitem__)
    return Columns(
        steps=array("q", map(columns.steps.__getitem__, places)),
        times_us=array("q", map(columns.times_us.__getitem__, places)),
        values=array("d", map(columns.values.__getitem__, places)),
    )
