r"""The points of a metric as packed columns, and how they travel.

The form is 8 bytes `AMLSER1\n`, the count n as a 64-bit unsigned integer, then n steps (64-bit signed), n times
(64-bit signed, microseconds since 1970 UTC) and n values (IEEE 754 binary64), all little-endian.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from typing import Any

import attrs

from amlsdk.errors import OperationFailed
from amlsdk.records.streams import CHUNK, ByteStream

__all__ = ["SeriesRecord", "pack", "unpack"]

_MAGIC = b"AMLSER1\n"
_HEAD = 16
_PIECE = 8 * CHUNK


@attrs.frozen(kw_only=True)
class SeriesRecord:
    """Points in the order of (step, time, writer, offset).

    Args:
        steps: 64-bit integers, shape (n,).
        times_us: Microseconds since 1970 UTC, shape (n,).
        values: 64-bit floats, shape (n,).
    """

    steps: array[int]
    times_us: array[int]
    values: array[float]


def pack(series: SeriesRecord) -> ByteStream:
    """Return the bytes of a series, made as they are read: nothing is held beside the columns."""
    return ByteStream(begin=lambda: _pieces(series), size_bytes=_HEAD + 24 * len(series.values))


def _pieces(series: SeriesRecord) -> Iterator[bytes]:
    yield _MAGIC + struct.pack("<Q", len(series.values))
    columns: tuple[array[Any], ...] = (series.steps, series.times_us, series.values)
    for column in columns:
        # Through a view, as slices of the column itself would be copied once more.
        with memoryview(_little(column)) as view, view.cast("B") as content:
            for start in range(0, len(content), _PIECE):
                yield content[start : start + _PIECE].tobytes()


def unpack(content: bytes) -> SeriesRecord:
    """Return the series of some bytes.

    Raises:
        OperationFailed: They were cut short or are something else.
    """
    count = struct.unpack_from("<Q", content, 8)[0] if len(content) >= _HEAD else 0
    if content[:8] != _MAGIC or len(content) != _HEAD + 24 * count:
        raise OperationFailed(f"{len(content)} bytes came that are not a whole series of points")
    view, width = memoryview(content), 8 * count
    cut = [view[_HEAD + width * k : _HEAD + width * (k + 1)] for k in range(3)]
    steps, times, values = array("q"), array("q"), array("d")
    columns: tuple[array[Any], ...] = (steps, times, values)
    for column, part in zip(columns, cut, strict=True):
        column.frombytes(part)
        if sys.byteorder == "big":
            column.byteswap()
    return SeriesRecord(steps=steps, times_us=times, values=values)


def _little(column: array[Any]) -> array[Any]:
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column
