"""The journals of a machine on their way to a service: how far each is, which are done, what waits and why."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Collection
from pathlib import Path

import attrs

from amlsdk.errors import Conflict, NotFound
from amlsdk.journal.abandoned import is_abandoned
from amlsdk.journal.begun import begun_in
from amlsdk.journal.digests import PrefixDigest
from amlsdk.journal.folder import JournalFile, is_locked, outstanding, read_from, remove
from amlsdk.journal.locks import alone
from amlsdk.journal.orphans import end_orphan
from amlsdk.journal.pace import Pace
from amlsdk.journal.ship import Append, ShipResult, ship
from amlsdk.operations.runs import AppendJournal
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.records.logged import JournalPosition
from amlsdk.records.streams import ByteStream
from amlsdk.service import Service, Spool

__all__ = ["Forwarded", "Forwarder", "State"]

_LOGGER = logging.getLogger("amlsdk")
_LOCK = "forwarding.lock"
_TAIL_BYTES = 1 << 20


class State:
    """What became of a journal."""

    DONE = "done"
    OPEN = "open"
    WAITS = "waits"
    REFUSED = "refused"


@attrs.frozen(kw_only=True)
class Forwarded:
    """A journal after it was sent.

    Args:
        file: The journal.
        sent_bytes: How much of it the service took now.
        state: One of `State`: all of it is there; it is still written; more has to wait; the service refuses it.
        reason: Why it waits or is refused, else empty.
    """

    file: JournalFile
    sent_bytes: int
    state: str
    reason: str = ""


class Forwarder:
    """Sends journals, and removes those that are done. Safe across threads; one journal is sent at a time.

    Args:
        spool: Where the journals are.
        keeps: Whether all files stay as they are: those of a copy.
    """

    def __init__(self, spool: Spool, *, keeps: bool = False) -> None:
        self._spool, self._keeps = spool, keeps
        self._lock = threading.Lock()
        self._pace = Pace()
        self._prefixes: dict[Path, PrefixDigest] = {}
        # When each run was last heard of, by the times of its journals.
        self._heard: dict[str, float] = {}

    def forward(self, service: Service, file: JournalFile) -> Forwarded:
        """Send what is new in a journal.

        Raises:
            NotFound: Its run is not there, and its writer is still at work; else it is set aside.
            Conflict: Likewise, and the service has another journal of its name.
            AmlError: The service can't be reached, or refuses. What was not sent can be sent later.
        """
        with self._lock:
            try:
                return self._send(service, file)
            except (NotFound, Conflict) as error:
                if isinstance(error, NotFound):
                    # Whoever may no longer see the workspace is told the same; that may pass.
                    service.send(GetWorkspace())
                if is_locked(file.path):
                    raise
                return self._set_aside(file, error)

    def forward_left(self, service: Service, *, but: Collection[Path] = ()) -> list[Forwarded]:
        """Send what processes left that are gone, and end the runs that they did not end.

        Args:
            service: Where to.
            but: Journals that somebody else of this process sends.

        Raises:
            AmlError: The service can't be reached, or refuses.
        """
        folder = self._spool.journals
        if not folder.is_dir():
            return []
        # Two that sent the same would both be right, and one of them in vain.
        with alone(folder / _LOCK) as is_alone:
            if not is_alone:
                return []
            left = [file for file in self.outstanding() if file.path not in but and not is_locked(file.path)]
            done = [self.forward(service, file) for file in left]
            self.end_orphans(service)
        return done

    def outstanding(self) -> list[JournalFile]:
        """Return the journals that wait here, but for those of runs that a supervisor sends."""
        # One that is lost is looked for elsewhere, with all else that its run left.
        files = outstanding(self._spool.journals)
        return [file for file in files if not (self._spool.runs / file.run_id / "work").is_dir()]

    def end_orphans(self, service: Service) -> None:
        """End the runs whose process is gone without having ended them, as soon as all they wrote was sent.

        Raises:
            AmlError: The service can't be reached, or refuses.
        """
        folder = self._spool.journals
        for begun in begun_in(folder):
            if not outstanding(folder, begun.run_id):
                end_orphan(service, folder, begun, heard_s=self._heard.get(begun.run_id))

    def _send(self, service: Service, file: JournalFile) -> Forwarded:
        before = self._prefixes.get(file.path)
        sent = _Sent(service)
        result = ship(file.path, sent.append, prefix=before, pace=self._pace)
        self._prefixes[file.path] = result.prefix
        self._note_time(file)
        is_done = result.complete or (not result.locked and self._close(file, result, sent.append))
        if is_done:
            self._forget(file)
        state = State.DONE if is_done else State.OPEN if result.locked else State.WAITS
        reason = "the process that writes it has not ended it" if state == State.WAITS else ""
        return Forwarded(file=file, sent_bytes=sent.count, state=state, reason=reason)

    def _close(self, file: JournalFile, result: ShipResult, append: Append) -> bool:
        """Bring a journal to its end whose writer was killed; say whether all there is was taken."""
        with contextlib.suppress(FileNotFoundError):
            if result.ended or not is_abandoned(file.path):
                return False
            # Nobody will bring this line to its end: the service names it as a bad one.
            rest = read_from(file.path, result.offset, _TAIL_BYTES)
            return append(file.run_id, file.writer, result.offset, result.prefix.hexdigest(), rest).accepted
        return False

    def _note_time(self, file: JournalFile) -> None:
        with contextlib.suppress(OSError):
            written = file.path.stat().st_mtime
            self._heard[file.run_id] = max(written, self._heard.get(file.run_id, 0.0))

    def _forget(self, file: JournalFile) -> None:
        self._prefixes.pop(file.path, None)
        if not self._keeps:
            remove(file.path)

    def _set_aside(self, file: JournalFile, error: NotFound | Conflict) -> Forwarded:
        self._prefixes.pop(file.path, None)
        if not self._keeps:
            aside = file.path.with_name(f"{file.path.name}.{'conflict' if isinstance(error, Conflict) else 'orphan'}")
            with contextlib.suppress(FileNotFoundError):
                file.path.replace(aside)
                _LOGGER.warning("the journal %s was set aside: %s", aside, error)
        return Forwarded(file=file, sent_bytes=0, state=State.REFUSED, reason=str(error))


class _Sent:
    """Sends pieces, and counts what was taken."""

    def __init__(self, service: Service) -> None:
        self._service, self.count = service, 0

    def append(self, run_id: str, writer: str, offset: int, digest: str, data: bytes) -> JournalPosition:
        content = ByteStream.of(data)
        request = AppendJournal(run_id=run_id, writer=writer, offset=offset, digest=digest, content=content)
        position = self._service.send(request)
        if position.accepted:
            self.count += max(0, position.offset - offset)
        return position
