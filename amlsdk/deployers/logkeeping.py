"""The log of a deployment: kept within bounds, and sent to the service where that can't read it itself."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from amlsdk.deployers.trimming import trim
from amlsdk.errors import AmlError
from amlsdk.operations.deployments import AppendDeploymentLog
from amlsdk.records.streams import ByteStream
from amlsdk.service import Service

__all__ = ["LogKeeping"]

_LOGGER = logging.getLogger("amlsdk")
_PIECE = 1 << 20


class LogKeeping:
    """Looks after the log of one deployment.

    Args:
        log: The file.
        service: Of the workspace, where the log is to be sent there; else None.
        deployment_id: Of the deployment.
        note: A file that tells the next supervisor what this one cut off.
    """

    def __init__(self, log: Path, *, service: Service | None, deployment_id: str, note: Path) -> None:
        self._log, self._note = log, note
        self._service, self._deployment_id = service, deployment_id
        # The service counts from the first byte ever written; the file begins so many later.
        self._cut = _read_note(note)
        self._sent: int | None = None

    def tend(self) -> bool:
        """Cut the log where it has become too large, and send a piece; return whether there is more to send."""
        try:
            removed = trim(self._log)
            if removed:
                self._begin_at(self._cut + removed)
            return self._service is not None and self._send(self._service)
        except (AmlError, OSError) as error:
            _LOGGER.warning("the log is not tended: %s", error)
            return False

    def finish(self) -> None:
        """Send what is left."""
        while self.tend():
            pass

    def _send(self, service: Service) -> bool:
        if self._sent is None:
            # An append of nothing is answered with the present end.
            self._sent = self._append(service, 0, b"")
        if self._sent < self._cut:
            # What was cut off before it could be sent is left out.
            self._begin_at(self._sent)
        with self._log.open("rb") as file:
            file.seek(self._sent - self._cut)
            content = file.read(_PIECE)
        if content:
            self._sent = self._append(service, self._sent, content)
        return len(content) == _PIECE

    def _append(self, service: Service, offset: int, content: bytes) -> int:
        request = AppendDeploymentLog(deployment_id=self._deployment_id, offset=offset, content=ByteStream.of(content))
        return service.send(request).offset

    def _begin_at(self, offset: int) -> None:
        self._cut = offset
        self._note.write_text(json.dumps({"cut": offset}), encoding="ascii")


def _read_note(note: Path) -> int:
    try:
        return int(json.loads(note.read_text("ascii"))["cut"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
