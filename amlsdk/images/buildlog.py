"""The log of a build: a file, sent to the service where that does not read it."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
from pathlib import Path

from amlsdk.errors import AmlError, Unavailable
from amlsdk.operations.images import AppendImageLog
from amlsdk.records.streams import ByteStream
from amlsdk.service import Service, Spool

__all__ = ["BuildLog"]

_LOGGER = logging.getLogger("amlsdk")


class BuildLog:
    """Writes lines with the time; safe across threads, as a line is one write.

    Args:
        spool: Where the file is kept.
        image_id: Names it.

    Raises:
        Unavailable: The file can't be made.
    """

    def __init__(self, spool: Spool, image_id: str) -> None:
        self._image_id = image_id
        self._shipped = spool.shipped
        self._path = Path(spool.logs) / f"{image_id}.log"
        self._sent = 0
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
        except OSError as error:
            raise Unavailable(f"the build log {str(self._path)!r} can't be written: {error.strerror}") from error

    def say(self, text: str) -> None:
        """Write a line; a disk that refuses it does not end the build."""
        now = dt.datetime.now(dt.timezone.utc)
        line = f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03}Z  {text}\n"
        with contextlib.suppress(OSError, ValueError):
            self._file.write(line.encode(errors="replace"))

    def send(self, service: Service) -> None:
        """Send what is new to a service that does not read the file; what can't be sent now is sent later."""
        if not self._shipped:
            return
        try:
            size = self._path.stat().st_size
            if size > self._sent:
                content = ByteStream.from_file(self._path, start=self._sent, stop=size)
                request = AppendImageLog(image_id=self._image_id, offset=self._sent, content=content)
                self._sent = service.send(request).offset
        except (AmlError, OSError) as error:
            _LOGGER.warning("image %s: its log was not sent: %s", self._image_id, error)

    def close(self, service: Service) -> None:
        """Send the rest and close; a file that was sent is removed."""
        self.send(service)
        self._file.close()
        if self._shipped:
            with contextlib.suppress(OSError):
                if self._path.stat().st_size <= self._sent:
                    self._path.unlink()
