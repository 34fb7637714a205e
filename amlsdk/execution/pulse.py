"""One run's connection to the service while the run goes on."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections import deque
from collections.abc import Callable

from amlsdk.errors import AmlError, Unavailable
from amlsdk.execution.handover import Handover
from amlsdk.execution.reporting import Reporter

__all__ = ["Pulse"]

_LOGGER = logging.getLogger("amlsdk")
# A cancellation has to reach the script within a second.
_BEAT_S = 0.7


class Pulse:
    """Reports states, gives signs of life, delivers, and hears of a cancellation, all in a thread of its own.

    So neither a timeout nor the script's end waits for a service that is slow or away.

    Args:
        handover: The run.
        connect: Returns the connection; it may take long.
    """

    def __init__(self, handover: Handover, connect: Callable[[], Reporter]) -> None:
        self._handover = handover
        self._connect = connect
        self._states: deque[tuple[str, dt.datetime]] = deque()
        self._news = threading.Event()
        self._closing = False
        self._reporter: Reporter | None = None
        self._thread = threading.Thread(target=self._run, name="amlsdk-pulse", daemon=True)
        self.stop_reason: str | None = None

    def begin(self) -> None:
        """Begin; does nothing where that was done before."""
        if self._thread.ident is None:
            self._thread.start()

    def enter(self, status: str, at: dt.datetime) -> None:
        """Report a state, soon."""
        self._states.append((status, at))
        self._news.set()

    def close(self) -> Reporter:
        """Report what is still to be reported, and end. Waits for a service that is away.

        Raises:
            Unavailable: The service could not be reached at all.
        """
        self.begin()
        self._closing = True
        self._news.set()
        self._thread.join()
        if self._reporter is None:
            raise Unavailable(f"the end of run {self._handover.run_id} can't be reported: see what was logged above")
        return self._reporter

    def _run(self) -> None:
        try:
            self._reporter = self._connect()
            while not (self._closing and not self._states):
                self._news.clear()
                self._beat(self._reporter)
                if not (self._states or self._closing):
                    self._news.wait(_BEAT_S)
        except Exception:
            # The run goes on: its end is reported by another try.
            _LOGGER.exception("run %s: no connection to the service", self._handover.run_id)

    def _beat(self, reporter: Reporter) -> None:
        while self._states:
            status, at = self._states.popleft()
            try:
                reporter.status(self._handover.run_id, status, at)
            except AmlError as error:
                _LOGGER.warning("run %s: %s was not reported: %s", self._handover.run_id, status, error)
        if not self._closing:
            self.stop_reason = self.stop_reason or reporter.why_stop(self._handover.run_id)
            reporter.deliver(self._handover)
