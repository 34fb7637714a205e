"""The points of a metric as a user sees them."""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

from amlsdk import plugins
from amlsdk.records.series import SeriesRecord

__all__ = ["Point", "Series"]


class Point(NamedTuple):
    """One point of a metric."""

    step: int
    value: float
    time: float


class Series:
    """Points of a metric in the order of (step, time), in columns; iterating gives each as a `Point`.

    The columns are arrays of the standard library: `numpy.asarray` takes them without a copy.
    """

    def __init__(self, name: str, record: SeriesRecord) -> None:
        self.name = name
        self._record = record

    @property
    def steps(self) -> array[int]:
        """Steps, 64-bit integers of shape (n,)."""
        return self._record.steps

    @property
    def values(self) -> array[float]:
        """Values, 64-bit floats of shape (n,)."""
        return self._record.values

    @property
    def times(self) -> array[float]:
        """Times, seconds since 1970 UTC, 64-bit floats of shape (n,)."""
        return array("d", [time / 1e6 for time in self._record.times_us])

    def __len__(self) -> int:
        return len(self._record.values)

    def __iter__(self) -> Iterator[Point]:
        return map(Point, self.steps, self.values, self.times)

    def to_pandas(self) -> Any:
        """Return a frame with the columns `step`, `time` (UTC) and `value`.

        Raises:
            MissingDependency: pandas is not installed.
        """
        pandas = plugins.require("pandas", extra="pandas")
        times = pandas.to_datetime(list(self._record.times_us), unit="us", utc=True)
        return pandas.DataFrame({"step": list(self.steps), "time": times, "value": list(self.values)})

    def __repr__(self) -> str:
        if not len(self):
            return f"<Series {self.name!r}, no points>"
        first, last = self._record.times_us[0], self._record.times_us[-1]
        span = dt.timedelta(microseconds=last - first)
        return (
            f"<Series {self.name!r}, {len(self)} points, last {self.values[-1]:.6g} at step {self.steps[-1]}, {span}>"
        )

    def _repr_html_(self) -> str:
        from amlsdk.resources.values.sparklines import sparkline_svg

        return sparkline_svg(self.steps, self.values, width=480, height=96)
