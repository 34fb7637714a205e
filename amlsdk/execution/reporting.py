"""What a supervisor tells the service: states, signs of life; and what it hears."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from typing import TypeVar

import attrs

from amlsdk.errors import AmlError, Conflict, NotFound, Unavailable
from amlsdk.execution.delivering import Delivery
from amlsdk.execution.handover import Handover
from amlsdk.operations.jobs import ClaimRun, HeartbeatRun, SetRunStatus
from amlsdk.places import open_backend
from amlsdk.processes import this_process
from amlsdk.service import Service

__all__ = ["Reporter"]

R = TypeVar("R")
_LOGGER = logging.getLogger("amlsdk")
_PATIENCE_S = 600.0
_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_MOST_REASON = 8192


class Reporter:
    """A client of the service on behalf of one supervisor.

    A service that is away is waited for, up to ten minutes since it was last heard of.

    Raises:
        Unavailable: It can't be reached for that long.
    """

    def __init__(self, handover: Handover) -> None:
        self._identity = this_process()
        self._heard_s = time.monotonic()
        self._backend = self._patiently(lambda: open_backend(handover.location, token=handover.credential))
        self.service: Service = self._backend.open()
        self._deliveries: dict[str, Delivery] = {}

    def deliver(self, handover: Handover) -> None:
        """Send some of what the run wrote to a service; what can't be sent now is sent later."""
        if not handover.shipped:
            return
        try:
            self._delivery(handover).send()
        except (AmlError, OSError) as error:
            _LOGGER.warning("run %s: not delivered yet: %s", handover.run_id, error)

    def deliver_all(self, handover: Handover) -> None:
        """Send all that the run wrote; what is refused stays where it is, and is logged."""
        if not handover.shipped:
            return
        try:
            while not self._patiently(self._delivery(handover).send):
                pass
        except (AmlError, OSError):
            _LOGGER.exception("run %s: what it wrote stays in %s", handover.run_id, handover.folder)

    def close(self) -> None:
        """Close the connection."""
        self._backend.close()

    def status(
        self, run_id: str, status: str, at: dt.datetime, *, reason: str | None = None, exit_code: int | None = None
    ) -> None:
        """Set a state; that the run was taken away or deleted meanwhile is logged and no more."""
        request = SetRunStatus(
            run_id=run_id,
            supervisor=self._identity,
            status=status,
            at=at,
            reason=None if reason is None else _clean(reason),
            exit_code=exit_code,
        )
        try:
            self._patiently(lambda: self.service.send(request))
        except (Conflict, NotFound) as error:
            _LOGGER.warning("run %s: %s was not taken: %s", run_id, status, error)

    def why_stop(self, run_id: str) -> str | None:
        """Give a sign of life; return why the run is to be ended, or None."""
        try:
            lease = self.service.send(HeartbeatRun(run_id=run_id, supervisor=self._identity))
        except (Conflict, NotFound) as error:
            return str(error)
        except AmlError as error:
            _LOGGER.warning("run %s: no heartbeat: %s", run_id, error)
            return None
        self._heard_s = time.monotonic()
        return "cancelled by request" if lease.cancel_requested else None

    def next_run(self, handover: Handover) -> Handover | None:
        """Claim the next queued run of the same target, or return None."""
        request = ClaimRun(supervisor=self._identity, target=handover.job.target)
        try:
            run = self._patiently(lambda: self.service.send(request)).run
        except AmlError:
            _LOGGER.exception("no further run could be claimed")
            return None
        if run is None or run.job is None:
            return None
        return attrs.evolve(handover, run_id=run.id, name=run.name, job=run.job)

    def _delivery(self, handover: Handover) -> Delivery:
        return self._deliveries.setdefault(handover.run_id, Delivery(handover, self.service))

    def _patiently(self, ask: Callable[[], R]) -> R:
        pause = _PAUSE_S
        while True:
            try:
                reply = ask()
            except Unavailable as error:
                if time.monotonic() - self._heard_s > _PATIENCE_S:
                    raise
                _LOGGER.warning("the service is asked again in %g s: %s", pause, error)
            else:
                self._heard_s = time.monotonic()
                return reply
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE_S, pause * 2)


def _clean(reason: str) -> str:
    """Return a text without what a record can't have: names of files may have bytes that are not UTF-8."""
    return reason.encode(errors="replace").decode().replace("\0", "")[:_MOST_REASON]
