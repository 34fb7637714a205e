"""A build's connection to the service while it goes on."""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from amlsdk.errors import AmlError, Conflict, NotFound
from amlsdk.images.base import Cancelled
from amlsdk.images.buildlog import BuildLog
from amlsdk.operations.images import HeartbeatImage
from amlsdk.processes import this_process
from amlsdk.service import Service

__all__ = ["Pulse"]

_LOGGER = logging.getLogger("amlsdk")
# A cancellation has to end a build within a second.
_BEAT_S = 0.4


class Pulse:
    """Gives signs of life, tells the step and hears of a cancellation, in a thread of its own.

    Args:
        service: Where the image is recorded, with this process as its owner.
        image_id: Of the image.
        log: Sent on the way.
    """

    def __init__(self, service: Service, image_id: str, log: BuildLog) -> None:
        self._service = service
        self._image_id = image_id
        self._log = log
        self._reason: str | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="amlsdk-build-pulse", daemon=True)
        self.current = "starting"

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def step(self, text: str) -> None:
        """Name what is being done; raises `Cancelled` when somebody asked to cancel."""
        self.current = text
        if self._reason is not None:
            raise Cancelled(self._reason)

    def _run(self) -> None:
        while not self._over.is_set():
            self._beat()
            self._log.send(self._service)
            self._over.wait(_BEAT_S)

    def _beat(self) -> None:
        request = HeartbeatImage(image_id=self._image_id, owner=this_process(), step=self.current)
        try:
            lease = self._service.send(request)
        except (Conflict, NotFound) as error:
            self._reason = str(error)
        except AmlError as error:
            # The build goes on; its lease outlives a service that is away for a while.
            _LOGGER.warning("image %s: no heartbeat: %s", self._image_id, error)
        else:
            if lease.cancel_requested:
                self._reason = "cancelled by request"
