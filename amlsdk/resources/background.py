"""One thread a process for what is done beside the caller's code: capturing surroundings, closing journals."""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable

import attrs

__all__ = ["Task", "background"]

_LOGGER = logging.getLogger("amlsdk")
_LINGER_S = 1.0


@attrs.define(eq=False)
class Task:
    """Something to be done once, at a time."""

    work: Callable[[], object]
    _done: threading.Event = attrs.field(factory=threading.Event)
    _cancelled: bool = False

    def cancel(self) -> None:
        """Do not begin it; what has begun goes on."""
        self._cancelled = True
        self._done.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is done or cancelled; say whether it is."""
        return self._done.wait(timeout_s)

    def run(self) -> None:
        """Do it, unless it was cancelled; an error is logged and reaches nobody."""
        try:
            if not self._cancelled:
                self.work()
        except Exception as error:  # it has no caller, and must not end the tasks after it
            _LOGGER.warning("%s", error)
            _LOGGER.debug("the task failed", exc_info=True)
        finally:
            self._done.set()


class _Background:
    """Does tasks one after the other. Its thread ends when there has been none for a second."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._condition = threading.Condition()
        self._tasks: list[tuple[float, int, Task]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def do(self, work: Callable[[], object], *, after_s: float = 0.0) -> Task:
        """Let something be done, soon or after some seconds."""
        task = Task(work)
        with self._condition:
            heapq.heappush(self._tasks, (time.monotonic() + after_s, next(self._numbers), task))
            if self._thread is None:
                # A daemon: what must be done before the process ends is waited for by whoever asked for it.
                self._thread = threading.Thread(target=self._work, name="amlsdk-background", daemon=True)
                self._thread.start()
            else:
                self._condition.notify()
        return task

    def finish(self, timeout_s: float) -> None:
        """Wait until what is to be done by now is done."""
        self.do(lambda: None).wait(timeout_s)

    def is_own_thread(self) -> bool:
        """Say whether a task is what calls this."""
        return threading.current_thread() is self._thread

    def rest(self, timeout_s: float) -> None:
        """End the thread where nothing is left to do, and wait for it."""
        with self._condition:
            self._tasks = [entry for entry in self._tasks if not entry[2].wait(0)]
            heapq.heapify(self._tasks)
            thread = self._thread
            if self._tasks or thread is None or self.is_own_thread():
                return
            self._thread = None
            self._condition.notify()
        thread.join(timeout_s)

    def _work(self) -> None:
        while (task := self._next()) is not None:
            task.run()

    def _next(self) -> Task | None:
        idle_until = time.monotonic() + _LINGER_S
        with self._condition:
            while self._thread is threading.current_thread():
                now = time.monotonic()
                if self._tasks and self._tasks[0][0] <= now:
                    return heapq.heappop(self._tasks)[2]
                if not self._tasks and now >= idle_until:
                    self._thread = None
                    break
                self._condition.wait((self._tasks[0][0] if self._tasks else idle_until) - now)
        return None


# The one of this process; a forked child has none of its parent's threads, and begins its own.
_instance = _Background()


def background() -> _Background:
    """Return the background thread of this process."""
    global _instance  # noqa: PLW0603  # replaced after a fork only
    if _instance.pid != os.getpid():
        _instance = _Background()
    return _instance
