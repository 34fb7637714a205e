"""The log of a run as one process writes it: journals, and their way to the service."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from amlsdk.errors import AmlError, Conflict, NotFound
from amlsdk.journal.spools import name_service
from amlsdk.journal.syncer import on_fork
from amlsdk.journal.writer import JournalWriter
from amlsdk.processes import this_process
from amlsdk.resources.background import Task, background

if TYPE_CHECKING:
    from amlsdk.journal.begun import Begun
    from amlsdk.resources.client import Client
    from amlsdk.service import Service

__all__ = ["RunLog"]

_LOGGER = logging.getLogger("amlsdk")
_PATIENCE_S = 30.0
# Shorter than the lease of a run (30 s) by so much that one sign may be lost.
_SIGN_EVERY_S = 10.0
_AT_THE_END_S = 5.0


class RunLog:
    """Opens a journal when something is logged, and closes it when nobody needs it any more.

    A run may be logged to again after its journal was closed: the next line begins a new one.
    """

    def __init__(self, client: Client, run_id: str) -> None:
        self.run_id = run_id
        self._client = client
        self._last_steps: Mapping[str, int] = {}
        self._begin_anew()
        on_fork(self)

    def _begin_anew(self) -> None:
        # Never held while something is sent: whoever logs must not wait for the service.
        self._lock = threading.RLock()
        self._writer: JournalWriter | None = None
        # Those of this process that are not yet with the service to their end.
        self._unsent: list[JournalWriter] = []
        self._tasks: list[Task] = []
        # The run, as long as this process is in it; and what is noted of it until the service knows its end.
        self._begun: Begun | None = None
        self._is_alive = False
        self._sign_at = 0.0
        self._is_refused = False

    def after_fork(self) -> None:
        """Begin anew in a forked child: it has no thread and no journal, and nobody gives the lock back."""
        self._begin_anew()

    def count_on(self, last_steps: Mapping[str, int]) -> None:
        """Let the steps of these metrics that are not given go on after the last ones."""
        self._last_steps = last_steps
        if self._writer is not None and not self._writer.closed:
            self._writer.count_on(last_steps)

    @property
    def writer(self) -> JournalWriter:
        """The open journal of this process."""
        writer = self._writer
        return writer if writer is not None and not writer.closed else self._open()

    def _open(self) -> JournalWriter:
        with self._lock:
            if self._writer is None or self._writer.closed:
                spool = self._client.spool
                spool.journals.mkdir(parents=True, exist_ok=True)
                self._writer = JournalWriter(spool.journals, self.run_id)
                self._writer.count_on(self._last_steps)
                if spool.shipped:
                    name_service(spool, self._client.location)
                    self._unsent.append(self._writer)
                    self._client.shipper.begin()
            return self._writer

    def begin(self) -> None:
        """Note that this process begins the run, before the service is asked to: from then on it may be in there."""
        spool = self._client.spool
        if spool.shipped:
            from amlsdk.journal.begun import Begun

            self._begun = Begun(run_id=self.run_id, owner=this_process())
            self._is_alive, self._sign_at = True, math.inf
            self._note(self._begun)

    def alive(self) -> None:
        """Give signs of life from now on: the service has taken the run."""
        if self._begun is not None:
            self._sign_at = time.monotonic() + _SIGN_EVERY_S
            self._client.shipper.begin()

    def not_begun(self, *, perhaps: bool) -> None:
        """Note that nobody is in the run after all.

        Args:
            perhaps: The service did not answer, and so may have recorded it.
        """
        begun = self._begun
        if begun is None or not perhaps:
            self._forget()
            return
        self._note(attrs.evolve(begun, given_up=True))
        self._begun = None
        self._client.shipper.begin()

    def over(self) -> None:
        """Give no signs of life any more: the journal says how the run ended."""
        self._is_alive = False
        if self._begun is not None:
            self._note(attrs.evolve(self._begun, ended=True))

    def do(self, work: Callable[[], object]) -> None:
        """Let something be done beside the caller's code; `close` waits for it."""
        with self._lock:
            self._tasks = [task for task in self._tasks if not task.wait(0)]
            self._tasks.append(background().do(work))

    def save(self) -> None:
        """Return when all that was logged is on the disk of this machine.

        Raises:
            Unavailable: The disk refuses.
        """
        if self._writer is not None and not self._writer.closed:
            self._writer.flush()

    def flush(self) -> None:
        """Return when all that was logged is on disk, and with the service where there is one.

        Raises:
            Unavailable: It can't be written or sent.
        """
        self.save()
        self.deliver()

    def retire(self) -> None:
        """Let the present journal be closed beside the caller's code; what is logged from now on begins a new one."""
        writer = self.detach()
        if writer is not None:
            self.do(lambda: self.finish(writer))

    def detach(self) -> JournalWriter | None:
        """Return the present journal, where there is one, for the caller to `finish`; more is logged to a new one."""
        with self._lock:
            writer, self._writer = self._writer, None
        return writer

    def finish(self, writer: JournalWriter) -> None:
        """Close a journal, and let what is left of it be sent."""
        writer.close()
        is_over = self._begun is not None and not self._is_alive
        # Whoever ended the run sends it in a moment; the shipper's thread would only be in the way.
        if self._client.spool.shipped and not is_over:
            self._client.shipper.wake()

    def deliver(self) -> None:
        """Send what is new to the service and wait for that; a folder reads journals itself.

        Raises:
            AmlError: The service can't be reached, or refuses; it is tried again later.
        """
        if self._client.spool.shipped:
            self._wait_for_tasks(_PATIENCE_S)
            self.ship(self._client.service)

    def settle(self) -> None:
        """Wait for what is done beside the caller's code, where all of it is sent at the end; not for ever."""
        if self._client.spool.shipped:
            self._wait_for_tasks(_PATIENCE_S if not self._client.shipper.is_away else _AT_THE_END_S)

    def try_to_deliver(self, *, patience_s: float = 0.0) -> None:
        """Send what is new where the service answers, else leave it for later."""
        self.settle()
        if self._client.spool.shipped:
            self._client.shipper.deliver([self], patience_s=patience_s)

    @property
    def is_waiting(self) -> bool:
        """Whether there may be something to send."""
        return bool(self._unsent) or self._begun is not None

    @property
    def journals(self) -> list[Path]:
        """The journals that this process sends."""
        with self._lock:
            return [writer.path for writer in self._unsent]

    def ship(self, service: Service) -> None:
        """Send what is new; waits.

        Raises:
            AmlError: The service can't be reached, or refuses.
        """
        with self._lock:
            unsent = list(self._unsent)
        for writer in unsent:
            self._ship(service, writer)
        if self._begun is not None and not self._is_alive and not self._unsent:
            self._forget()

    def give_sign(self, service: Service) -> None:
        """Tell the service that this process is still in the run, where that is due.

        Raises:
            AmlError: The service can't be reached.
        """
        if not self._is_alive or time.monotonic() < self._sign_at:
            return
        from amlsdk.operations.jobs import HeartbeatRun

        try:
            service.send(HeartbeatRun(run_id=self.run_id, supervisor=this_process()))
            self._sign_at = time.monotonic() + _SIGN_EVERY_S
        except (Conflict, NotFound) as error:
            # It was ended, deleted, or gone on with elsewhere; what is logged is sent all the same.
            _LOGGER.debug("run %s: no signs of life any more: %s", self.run_id, error)
            self._is_alive = False

    def refused(self, error: AmlError) -> None:
        """Say once that the service does not take the journal of this run."""
        if not self._is_refused:
            self._is_refused = True
            _LOGGER.warning("run %s: its journal stays in %s: %s", self.run_id, self._client.spool.journals, error)

    def close(self) -> None:
        """End the journal once what was to be done is done, and send what is left.

        Raises:
            Unavailable: Something could not be written.
        """
        self._wait_for_tasks(_PATIENCE_S)
        if self._writer is not None and not self._writer.closed:
            self._writer.close()
        self.try_to_deliver(patience_s=_AT_THE_END_S)

    def _ship(self, service: Service, writer: JournalWriter) -> None:
        from amlsdk.journal.folder import JournalFile
        from amlsdk.journal.forwarding import State

        # Asked first: what is closed by now will not be made any more.
        is_closed = writer.closed
        file = JournalFile.at(writer.path) if writer.path.exists() else None
        if file is not None:
            is_done = self._client.forwarder.forward(service, file).state in (State.DONE, State.REFUSED)
        else:
            is_done = is_closed
        if is_done:
            with self._lock:
                self._unsent = [other for other in self._unsent if other is not writer]

    def _wait_for_tasks(self, timeout_s: float) -> None:
        if not background().is_own_thread():
            for task in list(self._tasks):
                task.wait(timeout_s)

    def _note(self, begun: Begun) -> None:
        from amlsdk.journal.begun import note

        try:
            note(self._client.spool.journals, begun)
        except OSError as error:
            # The run goes on without: where this process is killed, it stays NotResponding.
            _LOGGER.warning("run %s can't be noted in %s: %s", self.run_id, self._client.spool.journals, error)

    def _forget(self) -> None:
        from amlsdk.journal.begun import forget

        begun, self._begun = self._begun, None
        if begun is not None:
            forget(self._client.spool.journals, begun)
