"""What a supervisor tells the service: states, signs of life; and what it hears."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from typing import TypeVar

import attrs

from amlsdk.errors import AmlError, Conflict, NotFound, NotSignedIn, Unavailable
from amlsdk.execution.delivering import Delivery
from amlsdk.execution.handover import Handover
from amlsdk.operations import Request
from amlsdk.operations.jobs import ClaimRun, HeartbeatRun, SetRunStatus
from amlsdk.places import Place, open_backend
from amlsdk.processes import this_process
from amlsdk.service import Service, Spool

__all__ = ["Reporter"]

R = TypeVar("R")
_LOGGER = logging.getLogger("amlsdk")
# A folder that can't be opened for so long is gone; a service may be out of reach for as long as a journey takes.
_PATIENCE_S = 600.0
_PATIENCE_WITH_SERVICES_S = 7 * 86_400.0
_HURRY_S = 30.0
_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_MOST_REASON = 8192


class Reporter:
    """A client of the service on behalf of one supervisor.

    A folder that is away is waited for, up to ten minutes since it was last heard of, and a service up to a week;
    so is another token where this one opens nothing any more.

    Args:
        handover: Says where the workspace is.
        in_a_hurry: Whether this process was told to stop, and so waits for half a minute only.

    Raises:
        Unavailable: It can't be reached for that long.
    """

    def __init__(self, handover: Handover, *, in_a_hurry: Callable[[], bool] = lambda: False) -> None:
        self._identity = this_process()
        self._credential = handover.credential
        self._in_a_hurry = in_a_hurry
        self._patience_with_runs_s = _PATIENCE_WITH_SERVICES_S if handover.shipped else _PATIENCE_S
        self._patience_s = self._patience_with_runs_s
        self._spool = handover.runs if handover.shipped else None
        self._heard_s = time.monotonic()
        self._said: set[str] = set()
        self._backend = self._patiently(lambda: open_backend(handover.location, token=self._credential.source))
        self.service: Service = self._backend.open()
        self._deliveries: dict[str, Delivery] = {}

    @property
    def patient(self) -> Service:
        """The service, asked by `ask`."""
        return _Patient(self)

    def ask(self, request: Request[R]) -> R:
        """Carry out one operation, waiting for a service that is away.

        Raises:
            AmlError: The service refuses, or is away for too long.
        """
        return self._patiently(lambda: self.service.send(request))

    def deliver(self, handover: Handover) -> None:
        """Send some of what the run wrote to a service; what can't be sent now is sent later."""
        if not handover.shipped:
            return
        try:
            self._delivery(handover).send()
        except (AmlError, OSError) as error:
            self._tell("run %s: not delivered yet: %s", handover.run_id, error)

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
        """Revoke the token and close the connection."""
        self._credential.end(self.service)
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
            self.ask(request)
        except (Conflict, NotFound) as error:
            _LOGGER.warning("run %s: %s was not taken: %s", run_id, status, error)

    def why_stop(self, run_id: str) -> str | None:
        """Give a sign of life; return why the run is to be ended, or None."""
        try:
            lease = self.service.send(HeartbeatRun(run_id=run_id, supervisor=self._identity))
        except (Conflict, NotFound) as error:
            return str(error)
        except AmlError as error:
            if not (isinstance(error, NotSignedIn) and self._credential.look_for_newer()):
                self._tell("run %s: no heartbeat: %s", run_id, error)
            return None
        self._heard()
        self._credential.tend(self.service)
        return "cancelled by request" if lease.cancel_requested else None

    def next_run(self, handover: Handover) -> Handover | None:
        """Claim the next queued run of the same target, or return None."""
        request = ClaimRun(supervisor=self._identity, target=handover.job.target)
        # What waits is begun by others as well: there is nothing to lose by going.
        self._patience_s = _PATIENCE_S
        try:
            run = self.ask(request).run
        except AmlError:
            _LOGGER.exception("no further run could be claimed")
            return None
        if run is None or run.job is None:
            return None
        self._patience_s = self._patience_with_runs_s
        return attrs.evolve(handover, run_id=run.id, name=run.name, job=run.job)

    def end_lost(self, handover: Handover) -> None:
        """End the runs of a service that were lost on this machine."""
        from amlsdk.execution.lost import end_lost

        spool = Spool(journals=handover.journals, runs=handover.runs, shipped=handover.shipped)
        try:
            end_lost(self.service, Place(location=handover.location, spool=spool))
        except (AmlError, OSError) as error:
            _LOGGER.warning("runs that were lost here are left as they are: %s", error)

    def _delivery(self, handover: Handover) -> Delivery:
        return self._deliveries.setdefault(handover.run_id, Delivery(handover, self.service))

    def _patiently(self, ask: Callable[[], R]) -> R:
        pause = _PAUSE_S
        while True:
            try:
                reply = ask()
            except (Unavailable, NotSignedIn) as error:
                if isinstance(error, NotSignedIn) and self._credential.look_for_newer():
                    continue
                if self._is_enough():
                    raise
                self._tell("%s is asked again: %s", "the service", error)
            else:
                self._heard()
                return reply
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE_S, pause * 2)

    def _is_enough(self) -> bool:
        # What the run wrote was removed: there is nothing left to wait for.
        if self._spool is not None and not self._spool.is_dir():
            return True
        return time.monotonic() - self._heard_s > (_HURRY_S if self._in_a_hurry() else self._patience_s)

    def _heard(self) -> None:
        if self._said:
            _LOGGER.info("the service answers again")
            self._said.clear()
        self._heard_s = time.monotonic()

    def _tell(self, text: str, what: str, error: Exception) -> None:
        """Log why something has to wait; once until it goes on, as it may wait for days."""
        if text not in self._said:
            _LOGGER.warning(text, what, error)
            self._said.add(text)


@attrs.frozen
class _Patient:
    """A service that is waited for."""

    _reporter: Reporter

    def send(self, request: Request[R]) -> R:
        """Carry out one operation."""
        return self._reporter.ask(request)


def _clean(reason: str) -> str:
    """Return a text without what a record can't have: names of files may have bytes that are not UTF-8."""
    return reason.encode(errors="replace").decode().replace("\0", "")[:_MOST_REASON]
