"""What a scoring process counts, in a mapped file: read while it writes, and kept when it dies."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path

import attrs

from amlsdk.sketches.histogram import BUCKETS, Histogram, bucket_of

__all__ = ["SUFFIX", "Counters", "Traffic", "read_traffic"]

SUFFIX = ".counters"

# Eight bytes each, so that a reader never sees half of one: a mark, counts by status from 100 to 599, batches, rows,
# two sums as floating point numbers, and the two histograms.
_MARK = int.from_bytes(b"amlcnt01", "little")
_STATUS = 1
_BATCHES = _STATUS + 500
_ROWS = _BATCHES + 1
_LATENCY_SUM = _ROWS + 1
_SIZE_SUM = _LATENCY_SUM + 1
_LATENCY = _SIZE_SUM + 1
_SIZES = _LATENCY + BUCKETS
_LENGTH = (_SIZES + BUCKETS) * 8


@attrs.define(kw_only=True)
class Traffic:
    """What scoring processes were asked, added up.

    Args:
        requests: How many by HTTP status of their answer.
        latency: Seconds from the last byte of a request to its answer.
        batches: How many calls of `run` there were.
        rows: How many rows they had.
        batch_sizes: Rows a call.
    """

    requests: dict[int, int] = attrs.field(factory=dict)
    latency: Histogram = attrs.field(factory=Histogram)
    batches: int = 0
    rows: int = 0
    batch_sizes: Histogram = attrs.field(factory=Histogram)


class Counters:
    """The counts of one process, which alone writes them, from one thread.

    Args:
        path: Of a new file, whose name ends with `SUFFIX`; None keeps them in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._map = mmap.mmap(-1, _LENGTH) if path is None else _map_new(path)
        self._counts = memoryview(self._map).cast("Q")
        self._sums = memoryview(self._map).cast("d")
        # Last, for a reader takes what has the mark.
        self._counts[0] = _MARK

    def count_request(self, status: int, seconds: float) -> None:
        """Count an answer to a scoring request.

        Args:
            status: Its HTTP status.
            seconds: What passed since the last byte of the request.
        """
        counts = self._counts
        counts[_STATUS - 100 + status] += 1
        counts[_LATENCY + bucket_of(seconds)] += 1
        self._sums[_LATENCY_SUM] += seconds

    def count_batch(self, rows: int) -> None:
        """Count a call of `run` with so many rows."""
        counts = self._counts
        counts[_BATCHES] += 1
        counts[_ROWS] += rows
        counts[_SIZES + bucket_of(rows)] += 1
        self._sums[_SIZE_SUM] += rows

    def traffic(self) -> Traffic:
        """Return what was counted here."""
        return _add_up([bytes(self._map)])


def read_traffic(folder: Path) -> Traffic:
    """Return what all processes that have counters in a folder counted, those that are dead included."""
    return _add_up(file.read_bytes() for file in folder.glob("*" + SUFFIX))


def _map_new(path: Path) -> mmap.mmap:
    with path.open("x+b") as file:
        file.truncate(_LENGTH)
        return mmap.mmap(file.fileno(), _LENGTH)


def _add_up(files: Iterable[bytes]) -> Traffic:
    total = Traffic()
    for raw in files:
        # One that is being made has no mark yet.
        if len(raw) == _LENGTH and memoryview(raw).cast("Q")[0] == _MARK:
            _add(total, raw)
    return total


def _add(total: Traffic, raw: bytes) -> None:
    counts, sums = memoryview(raw).cast("Q"), memoryview(raw).cast("d")
    for status, count in enumerate(counts[_STATUS:_BATCHES], 100):
        if count:
            total.requests[status] = total.requests.get(status, 0) + count
    total.batches += counts[_BATCHES]
    total.rows += counts[_ROWS]
    total.latency.merge(Histogram.of(counts[_LATENCY:_SIZES], sums[_LATENCY_SUM]))
    total.batch_sizes.merge(Histogram.of(counts[_SIZES:], sums[_SIZE_SUM]))
