"""Times as the catalogue keeps them: whole microseconds since 1970 UTC."""

from __future__ import annotations

import datetime as dt
import time

__all__ = ["from_us", "now_us", "to_us"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_MICROSECOND = dt.timedelta(microseconds=1)


def now_us() -> int:
    """Return the time of this machine's clock."""
    return time.time_ns() // 1000


def to_us(time_at: dt.datetime) -> int:
    """Return an aware time in microseconds, exactly."""
    return (time_at - _EPOCH) // _MICROSECOND


def from_us(time_us: int) -> dt.datetime:
    """Return the time (UTC), exactly."""
    # By position: as a keyword it takes half as long again, and a page of a search has three thousand.
    return _EPOCH + dt.timedelta(0, 0, time_us)
