"""The log of a run as one process writes it: a journal, and its way to the service."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from amlsdk.errors import AmlError, Unavailable
from amlsdk.journal.syncer import on_fork
from amlsdk.journal.writer import JournalWriter
from amlsdk.resources.background import Task, background

if TYPE_CHECKING:
    from amlsdk.journal.digests import PrefixDigest
    from amlsdk.resources.client import Client

__all__ = ["RunLog"]

_LOGGER = logging.getLogger("amlsdk")
_SHIP_EVERY_S = 1.0
_PATIENCE_S = 30.0


class RunLog:
    """Opens a journal when something is logged, and closes it when nobody needs it any more.

    A run may be logged to again after its journal was closed: the next line begins a new one.
    """

    def __init__(self, client: Client, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._lock = threading.RLock()
        self._writer: JournalWriter | None = None
        self._shipped: dict[str, PrefixDigest] = {}
        self._tasks: list[Task] = []
        self._stop = threading.Event()
        self._last_steps: Mapping[str, int] = {}
        on_fork(self)

    def after_fork(self) -> None:
        """Begin anew in a forked child: it has no thread and no journal, and nobody gives the lock back."""
        self._lock = threading.RLock()
        self._writer = None
        self._tasks = []
        self._stop = threading.Event()

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
                self._writer = JournalWriter(spool.journals, self._run_id)
                self._writer.count_on(self._last_steps)
                if spool.shipped:
                    self._start_shipping()
            return self._writer

    def _start_shipping(self) -> None:
        self._stop = threading.Event()
        threading.Thread(target=self._ship_often, args=(self._stop,), name="amlsdk-shipper", daemon=True).start()

    def _ship_often(self, stopped: threading.Event) -> None:
        while not stopped.wait(_SHIP_EVERY_S):
            try:
                self.deliver()
            except AmlError as error:
                _LOGGER.debug("run %s: journal waits on disk: %s", self._run_id, error)

    def do(self, work: Callable[[], object]) -> None:
        """Let something be done beside the caller's code; `close` waits for it."""
        with self._lock:
            self._tasks = [task for task in self._tasks if not task.wait(0)]
            self._tasks.append(background().do(work))

    def flush(self) -> None:
        """Return when all that was logged is on disk, and with the service where there is one.

        Raises:
            Unavailable: It can't be written or sent.
        """
        if self._writer is not None and not self._writer.closed:
            self._writer.flush()
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
            self._stop.set()
        return writer

    def finish(self, writer: JournalWriter) -> None:
        """Close a journal, and send what is left of it."""
        writer.close()
        if self._client.spool.shipped:
            self._ship(writer)

    def deliver(self) -> None:
        """Send the journal's new lines to the service; nothing to do for a folder, which reads journals itself."""
        if not self._client.spool.shipped:
            return
        self._wait_for_tasks()
        with self._lock:
            if self._writer is not None:
                self._ship(self._writer)

    def _wait_for_tasks(self) -> None:
        if not background().is_own_thread():
            for task in list(self._tasks):
                task.wait(_PATIENCE_S)

    def _ship(self, writer: JournalWriter) -> None:
        from amlsdk.journal.folder import remove
        from amlsdk.journal.ship import ship
        from amlsdk.operations.runs import AppendJournal
        from amlsdk.records.logged import JournalPosition
        from amlsdk.records.streams import ByteStream

        def append(run_id: str, name: str, offset: int, digest: str, data: bytes) -> JournalPosition:
            content = ByteStream.of(data)
            return self._client.send(
                AppendJournal(run_id=run_id, writer=name, offset=offset, digest=digest, content=content)
            )

        if not writer.path.exists():
            return
        result = ship(writer.path, append, prefix=self._shipped.get(writer.writer))
        self._shipped[writer.writer] = result.prefix
        if result.complete:
            remove(writer.path)
            self._shipped.pop(writer.writer)

    def close(self) -> None:
        """End the journal once what was to be done is done, and send what is left.

        Raises:
            Unavailable: Something could not be written.
        """
        self._wait_for_tasks()
        self._stop.set()
        if self._writer is not None and not self._writer.closed:
            self._writer.close()
        try:
            self.deliver()
        except Unavailable as error:
            _LOGGER.warning("run %s: its journal waits in %s: %s", self._run_id, self._client.spool.journals, error)
