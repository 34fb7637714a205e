"""How much a server takes on at once, and of whom."""

from __future__ import annotations

import time

import attrs

from amlsdk.errors import Unavailable

__all__ = ["Busy", "Limits", "Rates", "TooMany"]

_MOST_KEYS = 10_000


class TooMany(Unavailable):
    """More was asked than one caller may ask in so short a time.

    Args:
        message: What to do.
        retry_after_s: When it is worth trying again.
    """

    status = 429

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Busy(Unavailable):
    """The server has more to do than it takes on.

    Args:
        message: What to do.
        retry_after_s: When it is worth trying again.
    """

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@attrs.frozen(kw_only=True)
class Limits:
    """What a server bears.

    Args:
        rate: Requests a second that one token may make in the long run; None is any number.
        burst: Requests that it may make at once before that counts.
        stranger_rate: The same for requests without a right token, of one remote address.
        stranger_burst: The same for these.
        waiting: Requests that may wait for a fact at once.
        queued: Requests that may wait for a thread at once.
        connections: Connections that may be open at once.
    """

    rate: float | None = 500.0
    burst: float = 2000.0
    stranger_rate: float | None = 20.0
    stranger_burst: float = 200.0
    waiting: int = 1000
    queued: int = 256
    connections: int = 1000


class Rates:
    """A bucket of requests for each key, filled at a steady rate. For one event loop.

    Args:
        rate: What comes into a bucket each second; None where buckets are never empty.
        burst: What a bucket holds.
    """

    def __init__(self, rate: float | None, burst: float) -> None:
        self._rate, self._burst = rate, max(burst, 1.0)
        # Of each key: what is left, and when that was so.
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, key: str) -> float:
        """Return how long it takes until a request of this key is borne; 0 where it is now."""
        if self._rate is None:
            return 0.0
        return max(0.0, (1.0 - self._left(key, time.monotonic())) / self._rate)

    def take(self, key: str) -> None:
        """Count a request of this key."""
        if self._rate is None:
            return
        now = time.monotonic()
        self._buckets[key] = (max(0.0, self._left(key, now) - 1.0), now)
        if len(self._buckets) > _MOST_KEYS:
            self._forget(now)

    def _left(self, key: str, now: float) -> float:
        left, at = self._buckets.get(key, (self._burst, now))
        return min(self._burst, left + (now - at) * (self._rate or 0.0))

    def _forget(self, now: float) -> None:
        # A full bucket is as good as none; where all are in use, the oldest half goes.
        kept = [(key, bucket) for key, bucket in self._buckets.items() if self._left(key, now) < self._burst]
        self._buckets = dict(sorted(kept, key=lambda item: item[1][1])[-_MOST_KEYS // 2 :])
