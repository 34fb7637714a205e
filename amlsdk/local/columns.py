"""Points of a metric as compact columns, one blob a chunk.

A chunk is the byte 1 (the version), the byte 1 where each step is greater than the one before, else 0, and then
the steps and times as 64-bit signed integers and the values as IEEE 754 binary64, all little-endian, in one of two
ways. Up to 255 points: one column after the other. More: each column as its 8 planes, of which plane k is byte k of
all numbers. Neighbours differ in few planes, so that the others compress to nearly nothing (the shuffle filter of
HDF5 does the same), and the planes are put together again by plain copies, several times faster than differences are
added up. A plane is its number of bytes (32 bits) and the bytes: compressed with zlib if they are fewer than points.

The number of points is not in the chunk but beside it.
"""

from __future__ import annotations

import operator
import struct
import sys
import zlib
from array import array
from itertools import islice
from typing import Any

import attrs

from amlsdk.errors import OperationFailed

__all__ = ["Columns", "decode", "encode"]

_VERSION = 1
_HEAD = struct.Struct("<B?")
_SIZE = struct.Struct("<I")
_WIDTH = 8
_FEW = 256
_SAVES = 0.9
_SAMPLE = 2048
_SMALL = 4 * _SAMPLE


@attrs.frozen(kw_only=True)
class Columns:
    """Points in the order they were written.

    Args:
        steps: 64-bit integers, shape (n,).
        times_us: Microseconds since 1970 UTC, shape (n,).
        values: 64-bit floats, shape (n,).
    """

    steps: array[int]
    times_us: array[int]
    values: array[float]


def is_rising(steps: array[int]) -> bool:
    """Say whether each step is greater than the one before."""
    return all(map(operator.lt, steps, islice(steps, 1, None)))


def encode(columns: Columns) -> bytes:
    """Return the chunk of some points."""
    parts = [_HEAD.pack(_VERSION, is_rising(columns.steps))]
    for column in (columns.steps, columns.times_us, columns.values):
        content = _little(column)
        parts += [content] if len(column) < _FEW else _planes(content)
    return b"".join(parts)


def rises(data: bytes) -> bool:
    """Say of a chunk, without decoding it, whether each step is greater than the one before."""
    return data[1:2] == b"\x01"


def decode(data: bytes, count: int) -> Columns:
    """Return the points of a chunk.

    Raises:
        OperationFailed: The chunk is damaged, or of a newer version of amlsdk.
    """
    if data[:1] != bytes([_VERSION]):
        raise OperationFailed(
            f"a chunk of points has the version {data[:1].hex() or 'none'}, and this amlsdk reads only 01: upgrade it"
        )
    try:
        steps, times, values = _plain(data, count) if count < _FEW else _joined(data, count)
    except (struct.error, zlib.error, ValueError) as error:
        raise OperationFailed(f"a chunk of {count} points is damaged: {error}") from error
    return Columns(steps=_array("q", steps), times_us=_array("q", times), values=_array("d", values))


def _planes(content: bytes) -> list[bytes]:
    parts = []
    for place in range(_WIDTH):
        plane = content[place::_WIDTH]
        packed = zlib.compress(plane, 1) if _compresses(plane) else plane
        kept = packed if len(packed) < _SAVES * len(plane) else plane
        parts += [_SIZE.pack(len(kept)), kept]
    return parts


def _compresses(plane: bytes) -> bool:
    # Most planes are either noise or nearly constant; a piece from the middle tells which, at a fraction of the cost.
    if len(plane) <= _SMALL:
        return True
    middle = len(plane) // 2
    return len(zlib.compress(plane[middle : middle + _SAMPLE], 1)) < _SAVES * _SAMPLE


def _plain(data: bytes, count: int) -> list[bytes]:
    width = _WIDTH * count
    if len(data) != _HEAD.size + 3 * width:
        raise ValueError(f"it has {len(data)} bytes")
    starts = range(_HEAD.size, len(data), width) if width else [0, 0, 0]
    return [data[start : start + width] for start in starts]


def _joined(data: bytes, count: int) -> list[bytearray]:
    columns = []
    position = _HEAD.size
    for _ in range(3):
        column = bytearray(_WIDTH * count)
        for place in range(_WIDTH):
            (size,) = _SIZE.unpack_from(data, position)
            position += _SIZE.size + size
            plane = data[position - size : position]
            # Assigning to a slice with a stride refuses a plane of another length.
            column[place::_WIDTH] = plane if size == count else _decompressed(plane, count)
        columns.append(column)
    if position != len(data):
        raise ValueError(f"it has {len(data)} bytes, not {position}")
    return columns


def _decompressed(plane: bytes, count: int) -> bytes:
    # A damaged plane must not grow beyond its due.
    return zlib.decompressobj().decompress(plane, count + 1)


def _array(code: str, content: bytes | bytearray) -> array[Any]:
    numbers: array[Any] = array(code)
    numbers.frombytes(content)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _little(numbers: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()
