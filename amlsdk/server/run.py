"""A service on a loopback port: in a thread of this process, or as all that this process does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import TracebackType

import uvicorn
from starlette.applications import Starlette

from amlsdk.errors import Unavailable
from amlsdk.server.app import make_app
from amlsdk.server.single import SingleHost
from amlsdk.service import Host, Service

__all__ = ["ServerThread", "serve"]

# Longer than the pauses of a client at work, so that its connections stay.
_KEEP_ALIVE_S = 75
_GRACE_S = 10
# A filter of 64 KiB is three times as long when it is quoted.
_MOST_HEAD_BYTES = 1 << 20


def serve(
    served: Host, *, host: str = "127.0.0.1", port: int = 0, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve until this process is told to end (SIGINT or SIGTERM); waits.

    Args:
        served: Answers the requests.
        host: The address to listen on; any but a loopback address is reached from other machines.
        port: 0 takes a free one.
        on_ready: Called with the URL as soon as requests are answered.

    Raises:
        Unavailable: The port is taken.
    """
    listener = _listen(host, port)
    server = _Server(make_app(served), on_ready=lambda: on_ready(_url(listener)) if on_ready else None)
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()


class ServerThread:
    """A service on a free port of 127.0.0.1, in a thread of its own; a context manager.

    Args:
        served: Answers the requests; a service is served for whoever shows the `token`.
        port: 0 takes a free one.

    Attributes:
        url: Where the service is.
        token: Opens it, where a service was given; None where a host was.

    Example:
        >>> with ServerThread(service) as server:  # doctest: +SKIP
        ...     workspace = amlsdk.connect(server.url, token=server.token)
    """

    def __init__(self, served: Host | Service, *, port: int = 0) -> None:
        host = served if isinstance(served, Host) else SingleHost(served)
        self.token: str | None = host.token if isinstance(host, SingleHost) else None
        self._listener = _listen("127.0.0.1", port)
        self.url = _url(self._listener)
        self._up = threading.Event()
        self._server = _Server(make_app(host), on_ready=self._up.set)
        self._thread = threading.Thread(target=self._run, name="amlsdk-server", daemon=True)

    def start(self) -> ServerThread:
        """Begin to answer; returns when requests are answered.

        Raises:
            Unavailable: The server ended at once.
        """
        self._thread.start()
        self._up.wait()
        if not self._server.started:
            raise Unavailable(f"the server at {self.url} ended as it began; the log of uvicorn says why")
        return self

    def stop(self) -> None:
        """Answer what was asked already, then end; twice is no error."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._listener])
        finally:
            # Whoever waits for the start is not left waiting where there was none.
            self._up.set()

    def __enter__(self) -> ServerThread:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(uvicorn.Server):
    """A server that says when it has begun, and whose waiting requests don't hold up its end."""

    def __init__(self, app: Starlette, *, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                # The faster parser refuses the long queries that filters make.
                http="h11",
                lifespan="off",
                ws="none",
                h11_max_incomplete_event_size=_MOST_HEAD_BYTES,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self._app, self._on_ready = app, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.operations.stop()
        await super().shutdown(sockets=sockets)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it a reply takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"port {port} of {host} can't be had: {error.strerror}; name another, or 0 for a free one"
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
