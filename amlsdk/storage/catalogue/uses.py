"""Who is using something now, so that a fork can wait for a moment when nobody is."""

from __future__ import annotations

import threading
import time
from types import TracebackType

__all__ = ["Uses"]


class Uses:
    """Counts the threads that use something: `with uses: ...`. Safe across threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._depths: dict[int, int] = {}
        self._paused = False

    def pause(self, *, timeout_s: float) -> None:
        """Wait until no other thread is at it, and let none begin before `resume`; after that time go on all the same.

        A thread that is in the midst of a use, and may be the one that calls this, is let through.
        """
        me, deadline = threading.get_ident(), time.monotonic() + timeout_s
        with self._changed:
            self._paused = True
            while self._depths.keys() - {me}:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return
                self._changed.wait(left_s)

    def resume(self) -> None:
        """Let all begin that wait."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def __enter__(self) -> None:
        me = threading.get_ident()
        with self._changed:
            while self._paused and me not in self._depths:
                self._changed.wait()
            self._depths[me] = self._depths.get(me, 0) + 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        me = threading.get_ident()
        with self._changed:
            # In a child that was forked within a use, this is another object, which does not know of it.
            depth = self._depths.pop(me, 0) - 1
            if depth > 0:
                self._depths[me] = depth
            self._changed.notify_all()
