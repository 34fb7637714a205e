"""One connection to a workspace, shared by every object that came from it."""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

from amlsdk.errors import Unavailable
from amlsdk.journal.syncer import SYNCER, on_fork
from amlsdk.logins import token_for
from amlsdk.operations import Request
from amlsdk.places import Place, Reach, open_backend
from amlsdk.records.streams import ByteStream
from amlsdk.resources.background import background
from amlsdk.resources.config import Config

if TYPE_CHECKING:
    from amlsdk.journal.forwarding import Forwarder
    from amlsdk.resources.run_log import RunLog
    from amlsdk.resources.shipping import Shipper
    from amlsdk.service import Backend, Service, Spool
    from amlsdk.storage.blobs.folder import FolderBlobStore
    from amlsdk.storage.blobs.through_service import ServiceBlobs

__all__ = ["Address", "Client"]

R = TypeVar("R")
_PATIENCE_S = 30.0
# What sends beside the caller's code tries again by itself, and must not hang for long on what is lost.
_CARRIER_TIMEOUT_S = 10.0
# Much less than the age from which the collector of garbage may take a blob that nothing refers to.
_SURELY_THERE_S = 60.0
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

    def open(self, reach: Reach | None = None) -> Backend:
        """Load the backend of this place's scheme and open it."""
        return open_backend(self.location, create=self.create, token=self.token, session=self.session, reach=reach)


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
        self._carrier: Backend | None = None
        self._logs: dict[str, RunLog] = {}
        self._sockets: weakref.WeakSet[Closable] = weakref.WeakSet()
        self._sent_at: dict[str, float] = {}
        # By project: a service knows only the folder that somebody named last, on whichever machine.
        self.folders: dict[str, str] = {}
        self._closed = False
        self._begin_anew()
        on_fork(self)

    def _begin_anew(self) -> None:
        self._lock = threading.RLock()
        self._shipper: Shipper | None = None
        self._forwarder: Forwarder | None = None

    def after_fork(self) -> None:
        """Go on in a forked child, where a thread that holds the lock, or sends, does not exist."""
        self._begin_anew()

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
                self._backend = self.address.open(self.config.reach)
            return self._backend

    @property
    def service(self) -> Service:
        """The service for whoever runs this process."""
        if self._service is None or self._closed:
            self._service = self.backend.open()
        return self._service

    @property
    def carrier(self) -> Service:
        """The service for what is sent beside the caller's code: it is tried once, and not for long."""
        with self._lock:
            if self._closed:
                raise Unavailable(f"the connection to {self.address.location} is closed; connect again")
            if self._carrier is None:
                timeout_s = min(self.config.timeout_s, _CARRIER_TIMEOUT_S)
                self._carrier = self.address.open(attrs.evolve(self.config.reach, timeout_s=timeout_s, deadline_s=0.0))
            return self._carrier.open()

    @property
    def shipper(self) -> Shipper:
        """What sends the journals of this process to the service."""
        from amlsdk.resources.shipping import Shipper

        with self._lock:
            if self._shipper is None:
                self._shipper = Shipper(self)
            return self._shipper

    @property
    def forwarder(self) -> Forwarder:
        """What knows how far the journals of this machine are."""
        from amlsdk.journal.forwarding import Forwarder

        with self._lock:
            if self._forwarder is None:
                self._forwarder = Forwarder(self.spool)
            return self._forwarder

    @property
    def spool(self) -> Spool:
        """Where this client's runs write."""
        return self._spool or self.backend.spool

    @property
    def token(self) -> str | None:
        """What opens the service now; None for a folder."""
        token: Token | None = self.address.token
        if token is None and self.spool.shipped:
            # As for a connection that was made anew from a pickled one.
            token = token_for(self.location)
        return token() if callable(token) else token

    @property
    def place(self) -> Place:
        """Where all this is, for another process on this machine."""
        return Place(location=self.location, spool=self.spool, credential=self.token)

    @property
    def blobs(self) -> FolderBlobStore | ServiceBlobs:
        """The workspace's blobs: its folder where it is on this machine, else through the service."""
        return self._blobs_by(lambda: self.service)

    def _blobs_by(self, way: Callable[[], Service]) -> FolderBlobStore | ServiceBlobs:
        # A script's own spool does not say; the backend does.
        folder: Path | None = self.spool.blobs or self.backend.spool.blobs
        if folder is not None:
            from amlsdk.storage.blobs.folder import FolderBlobStore

            return FolderBlobStore(folder)
        from amlsdk.storage.blobs.through_service import ServiceBlobs

        return ServiceBlobs(way())

    def keep_script(self, digest: str, content: bytes, *, once: bool = False) -> None:
        """Store what each run of this process keeps of its script; a service is sent the same once in a minute.

        Args:
            digest: Of the content.
            content: The script.
            once: Whether a service that is away is tried only once, and not for as long as the caller has patience.
        """
        now = time.monotonic()
        if self.spool.shipped and now < self._sent_at.get(digest, -math.inf) + _SURELY_THERE_S:
            return
        blobs = self._blobs_by(lambda: self.carrier) if once else self.blobs
        blobs.put(digest, ByteStream.of(content))
        self._sent_at = {digest: now}

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

    def waiting_logs(self) -> list[RunLog]:
        """Return the logs that may have something for the service."""
        with self._lock:
            return [log for log in self._logs.values() if log.is_waiting]

    def own_journals(self) -> set[Path]:
        """Return the journals that this process sends itself."""
        return {path for log in self.waiting_logs() for path in log.journals}

    def look_for_left(self) -> None:
        """Let be sent, beside the caller's code, what earlier processes could not send; costs one look at a folder."""
        if not (self.spool.shipped and self.spool.journals.is_dir()):
            return
        with os.scandir(self.spool.journals) as entries:
            if any(entries):
                self.shipper.begin()

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
        shipper = self._shipper
        if shipper is not None:
            shipper.stop()
        background().rest(_PATIENCE_S)
        SYNCER.rest()
        with self._lock:
            opened, self._closed = (self._backend, self._carrier), True
            self._logs, self._backend, self._service, self._carrier = {}, None, None, None
        for backend in opened:
            if backend is not None:
                backend.close()

    def __reduce__(self) -> tuple[Any, ...]:
        address = Address(location=self.location)
        return (Client, (address, self.config))
