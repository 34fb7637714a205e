"""The threads in which the service works; a request in excess of them waits for its turn."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

__all__ = ["Threads"]

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """At most so many threads; made in the event loop that uses them.

    Args:
        most: How many calls go on at once.

    Attributes:
        held_bytes: What is held in memory of the bodies that calls are to work on.
    """

    def __init__(self, most: int) -> None:
        self._most, self._asked = most, 0
        self.held_bytes = 0
        self._limiter = anyio.CapacityLimiter(most)

    @property
    def queued(self) -> int:
        """How many calls wait for a thread."""
        return max(0, self._asked - self._most)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread and return what it returns."""
        self._asked += 1
        try:
            return await anyio.to_thread.run_sync(functools.partial(call, *args, **kwargs), limiter=self._limiter)
        finally:
            self._asked -= 1
