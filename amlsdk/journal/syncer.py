"""What happens beside the calls: journals reach the disk once a second, and a forked child lets go of its parent's."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Protocol
from weakref import WeakSet

__all__ = ["PERIOD_S", "SYNCER", "Syncer", "on_fork"]

PERIOD_S = 1.0


class _File(Protocol):
    def tend(self) -> None: ...


class _Forked(Protocol):
    def after_fork(self) -> None: ...


class Syncer:
    """A thread that tends all open journals of the process.

    It ends when there have been none for a period: starting one for each of many short runs would take as long as
    their journals do.
    """

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew: threads and what they held don't come along into a child."""
        self._lock = threading.RLock()
        self._files: WeakSet[_File] = WeakSet()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def add(self, file: _File) -> None:
        """Tend a journal from now on."""
        with self._lock:
            self._files.add(file)
            if self._thread is None:
                self._start()

    def remove(self, file: _File) -> None:
        """Tend it no longer."""
        with self._lock:
            self._files.discard(file)

    def rest(self) -> None:
        """End the thread now where there is no journal left, and wait for it."""
        with self._lock:
            thread = self._thread
            if len(self._files) or thread is None:
                return
            self._stop.set()
            self._thread = None
        if thread is not threading.current_thread():
            thread.join()

    def _start(self) -> None:
        self._stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(self._stop,), name="amlsdk-journal", daemon=True)
        # An interpreter that is about to end starts no threads; flush() and close() work without.
        with contextlib.suppress(RuntimeError):
            thread.start()
            self._thread = thread

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(PERIOD_S):
            self._tend()
            with self._lock:
                # Journals may also vanish unclosed, with the last reference to them.
                if not len(self._files) and self._thread is threading.current_thread():
                    self._thread = None
                    return

    def _tend(self) -> None:
        # In a function of its own, so that no variable keeps a journal alive between two rounds.
        for file in list(self._files):
            file.tend()


SYNCER = Syncer()
_FORKED: WeakSet[_Forked] = WeakSet()


def on_fork(thing: _Forked) -> None:
    """Have `after_fork` of a thing called in every forked child, before anything else runs there."""
    _FORKED.add(thing)


def _after_fork() -> None:
    SYNCER.after_fork()
    for thing in list(_FORKED):
        thing.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
