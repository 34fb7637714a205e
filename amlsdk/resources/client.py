"""One connection to a workspace, shared by every object that came from it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

from amlsdk.errors import Unavailable
from amlsdk.journal.syncer import SYNCER, on_fork
from amlsdk.operations import Request
from amlsdk.places import Place, open_backend
from amlsdk.resources.background import background
from amlsdk.resources.config import Config

if TYPE_CHECKING:
    from amlsdk.resources.run_log import RunLog
    from amlsdk.service import Backend, Service, Spool
    from amlsdk.storage.blobs.folder import FolderBlobStore
    from amlsdk.storage.blobs.through_service import ServiceBlobs

__all__ = ["Address", "Client"]

R = TypeVar("R")
_PATIENCE_S = 30.0
Token = str | Callable[[], str]


@attrs.frozen(kw_only=True)
class Address:
    """Where a workspace is and how it is reached; pickles without its token.

    Args:
        location: A folder or a URL.
        token: Of a service.
        create: Whether a missing folder is made.
        session: A `requests.Session` for a service.
    """

    location: str
    token: Any = attrs.field(default=None, repr=False)
    create: bool = False
    session: Any = attrs.field(default=None, repr=False)

    def open(self) -> Backend:
        """Load the backend of this place's scheme and open it."""
        return open_backend(self.location, create=self.create, token=self.token, session=self.session)


class Closable(Protocol):
    """What has a connection that can be closed; twice is no error."""

    def close(self) -> None: ...


class Client:
    """Sends requests, and knows the logs of runs that this process writes. Safe across threads."""

    def __init__(self, address: Address, config: Config, *, spool: Spool | None = None) -> None:
        self.address = address
        self.config = config
        self._spool = spool
        self._backend: Backend | None = None
        self._service: Service | None = None
        self._logs: dict[str, RunLog] = {}
        self._sockets: weakref.WeakSet[Closable] = weakref.WeakSet()
        self._lock = threading.RLock()
        self._closed = False
        on_fork(self)

    def after_fork(self) -> None:
        """Go on in a forked child, where a thread that holds the lock does not exist."""
        self._lock = threading.RLock()

    def send(self, request: Request[R]) -> R:
        """Carry out one operation."""
        return self.service.send(request)

    @property
    def location(self) -> str:
        """The folder's absolute path, or the URL."""
        return self.backend.location

    @property
    def backend(self) -> Backend:
        """The backend, opened when first needed: a script that only logs never loads it."""
        with self._lock:
            if self._closed:
                raise Unavailable(f"the connection to {self.address.location} is closed; connect again")
            if self._backend is None:
                self._backend = self.address.open()
            return self._backend

    @property
    def service(self) -> Service:
        """The service for whoever runs this process."""
        if self._service is None or self._closed:
            self._service = self.backend.open()
        return self._service

    @property
    def spool(self) -> Spool:
        """Where this client's runs write."""
        return self._spool or self.backend.spool

    @property
    def place(self) -> Place:
        """Where all this is, for another process on this machine."""
        token = self.address.token
        return Place(location=self.location, spool=self.spool, credential=token() if callable(token) else token)

    @property
    def blobs(self) -> FolderBlobStore | ServiceBlobs:
        """The workspace's blobs: its folder where it is on this machine, else through the service."""
        # A script's own spool does not say; the backend does.
        folder: Path | None = self.spool.blobs or self.backend.spool.blobs
        if folder is not None:
            from amlsdk.storage.blobs.folder import FolderBlobStore

            return FolderBlobStore(folder)
        from amlsdk.storage.blobs.through_service import ServiceBlobs

        return ServiceBlobs(self.service)

    def log_of(self, run_id: str) -> RunLog:
        """The log that this process writes for a run."""
        from amlsdk.resources.run_log import RunLog

        with self._lock:
            log = self._logs.get(run_id)
            if log is None:
                log = self._logs[run_id] = RunLog(self, run_id)
            return log

    def forget_log(self, run_id: str) -> None:
        """Drop a log that is closed."""
        with self._lock:
            self._logs.pop(run_id, None)

    def deliver(self, run_id: str | None = None) -> None:
        """Send what this process logged (of one run, or of all) where a service must be told; a folder reads itself."""
        with self._lock:
            logs = [log for key, log in self._logs.items() if run_id in (None, key)]
        for log in logs:
            log.deliver()

    def closes(self, connection: Closable) -> None:
        """Close a connection to something else together with this one."""
        with self._lock:
            self._sockets.add(connection)

    def close(self) -> None:
        """Close logs, threads and sockets; closing twice is no error."""
        with self._lock:
            logs, sockets = list(self._logs.values()), list(self._sockets)
        for each in sockets:
            each.close()
        # Logs may still need the service for what is left of them.
        for log in logs:
            log.close()
        background().rest(_PATIENCE_S)
        SYNCER.rest()
        with self._lock:
            backend, self._closed = self._backend, True
            self._logs, self._backend, self._service = {}, None, None
        if backend is not None:
            backend.close()

    def __reduce__(self) -> tuple[Any, ...]:
        address = Address(location=self.location)
        return (Client, (address, self.config))
