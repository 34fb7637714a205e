"""Journals and output on their way to a service; a folder reads them where they are."""

from __future__ import annotations

from pathlib import Path

from amlsdk.execution.handover import Handover
from amlsdk.journal.digests import PrefixDigest
from amlsdk.journal.folder import outstanding, remove
from amlsdk.journal.ship import ship
from amlsdk.operations.runs import AppendJournal, AppendOutput
from amlsdk.records.logged import JournalPosition
from amlsdk.records.streams import ByteStream
from amlsdk.service import Service

__all__ = ["Delivery"]

_CHUNK = 4 << 20
_CHUNKS = 8


class Delivery:
    """Sends what a run wrote so far; calling it often is cheap."""

    def __init__(self, handover: Handover, service: Service) -> None:
        self._handover = handover
        self._service = service
        self._sent = 0
        self._prefixes: dict[Path, PrefixDigest] = {}

    def send(self) -> bool:
        """Send some of what is new; return whether that was all there is by now.

        Raises:
            AmlError: The service refuses; what was not sent is sent by the next call.
        """
        self._send_journals()
        return self._send_output()

    def _send_output(self) -> bool:
        path = self._handover.folder / "output.log"
        # In parts: between them, others want to give signs of life.
        for _ in range(_CHUNKS):
            size = path.stat().st_size if path.exists() else 0
            if size <= self._sent:
                return True
            content = ByteStream.from_file(path, start=self._sent, stop=min(size, self._sent + _CHUNK))
            request = AppendOutput(run_id=self._handover.run_id, offset=self._sent, content=content)
            self._sent = self._service.send(request).offset
        return False

    def _send_journals(self) -> None:
        for file in outstanding(self._handover.journals, self._handover.run_id):
            result = ship(file.path, self._append, prefix=self._prefixes.get(file.path))
            self._prefixes[file.path] = result.prefix
            if result.complete:
                remove(file.path)

    def _append(self, run_id: str, writer: str, offset: int, digest: str, data: bytes) -> JournalPosition:
        content = ByteStream.of(data)
        return self._service.send(
            AppendJournal(run_id=run_id, writer=writer, offset=offset, digest=digest, content=content)
        )
