"""A histogram of positive values in buckets that grow by a constant factor, so that quantiles have a bounded error.

The buckets are those of DDSketch (Masson, Rim, Lee: DDSketch, a fast and fully-mergeable quantile sketch with
relative-error guarantees, VLDB 2019, section 2.1): bucket i holds the values in (g^(i-1), g^i], where
g = (1 + a) / (1 - a), and 2 g^i / (g + 1) is within the relative error a of all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

__all__ = ["BUCKETS", "HIGHEST", "LOWEST", "Histogram", "bucket_of", "value_of"]

_ERROR = 0.025
_GROWTH = (1 + _ERROR) / (1 - _ERROR)
_SCALE = 1 / math.log(_GROWTH)

# From a microsecond to what counts of rows need; what is outside counts as the nearest end.
LOWEST = 1e-6
HIGHEST = 1e9
_FIRST = math.ceil(math.log(LOWEST) * _SCALE)
BUCKETS = math.ceil(math.log(HIGHEST) * _SCALE) - _FIRST + 1


def bucket_of(value: float) -> int:
    """Return the number of the bucket of a value, from 0 to `BUCKETS` - 1."""
    if not value > LOWEST:  # NaN too
        return 0
    return math.ceil(math.log(min(value, HIGHEST)) * _SCALE) - _FIRST


def value_of(bucket: int) -> float:
    """Return the value that is nearest, by ratio, to all values of a bucket."""
    return 2 * math.exp((bucket + _FIRST) / _SCALE) / (_GROWTH + 1)


class Histogram:
    """Counts of values by size, from 1e-6 to 1e9, with a relative error of at most 2.5 %.

    Attributes:
        count: How many values were added.
        sum: Of the values, exact but for rounding.
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.sum = 0.0

    @classmethod
    def of(cls, counts: Sequence[int], total: float) -> Histogram:
        """Return a histogram of the counts of all buckets in order, and the sum of the values."""
        made = cls()
        made._counts = {bucket: count for bucket, count in enumerate(counts) if count}
        made.count, made.sum = sum(made._counts.values()), total
        return made

    def add(self, value: float, count: int = 1) -> None:
        """Count a value, or the same one several times."""
        bucket = bucket_of(value)
        self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.count += count
        self.sum += value * count

    def merge(self, other: Histogram) -> None:
        """Add all that another histogram counted."""
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.count += other.count
        self.sum += other.sum

    def quantile(self, q: float) -> float | None:
        """Return the value that a share of all values does not exceed.

        Args:
            q: The share, from 0 to 1: 0.5 for the median, 0.99 for p99.

        Returns:
            The value, with a relative error of at most 2.5 %; None where nothing was counted.
        """
        if not self.count:
            return None
        rank, seen = q * (self.count - 1), 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen > rank:
                return value_of(bucket)
        return value_of(max(self._counts))

    def count_up_to(self, value: float) -> int:
        """Return how many of the values were at most so large, each taken for the middle of its bucket."""
        return sum(count for bucket, count in self._counts.items() if value_of(bucket) <= value)

    def to_counts(self) -> dict[str, int]:
        """Return what `from_counts` reads: counts by number of bucket, and the sum in billionths as `sum_e9`."""
        return {
            **{str(bucket): self._counts[bucket] for bucket in sorted(self._counts)},
            "sum_e9": round(self.sum * 1e9),
        }

    @classmethod
    def from_counts(cls, counts: Mapping[str, int]) -> Histogram:
        """Return the histogram of which `to_counts` made this; an empty mapping makes an empty one."""
        made = cls()
        made._counts = {int(bucket): count for bucket, count in counts.items() if bucket != "sum_e9"}
        made.count, made.sum = sum(made._counts.values()), counts.get("sum_e9", 0) / 1e9
        return made
