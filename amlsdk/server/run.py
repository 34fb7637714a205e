"""A host on a port: in a thread of this process, or as all that this process does."""

from __future__ import annotations

import gc
import logging
import socket
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

import uvicorn
from starlette.applications import Starlette

from amlsdk.errors import Unavailable
from amlsdk.server.app import make_app
from amlsdk.server.limits import Limits
from amlsdk.server.listening import Transport, is_loopback, listen, url_of
from amlsdk.server.protocol import protocol_for
from amlsdk.server.single import SingleHost
from amlsdk.service import Host, Service

__all__ = ["ServerThread", "serve"]

_LOG = logging.getLogger("amlsdk")
# Longer than the pauses of a client at work, so that its connections stay.
_KEEP_ALIVE_S = 75


def serve(
    served: Host,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    listener: socket.socket | None = None,
    on_ready: Callable[[str], None] | None = None,
    limits: Limits | None = None,
    transport: Transport | None = None,
) -> None:
    """Serve until this process is told to end (SIGINT or SIGTERM); waits.

    Requests that wait are then answered with what there is, and those that go on have some time to come to their end.

    Args:
        served: Answers the requests.
        host: The address to listen on; any but a loopback address is reached from other machines.
        port: 0 takes a free one.
        listener: A socket that has an address already, in place of `host` and `port`; it is closed in the end.
        on_ready: Called with the URL as soon as requests are answered.
        limits: What is taken on at once.
        transport: How requests come.

    Raises:
        Unavailable: The port is taken.
        InvalidArgument: The certificate can't be used.
    """
    limits, transport = limits or Limits(), transport or Transport()
    transport.check()
    listener = listener or listen(host, port)
    url = url_of(listener, encrypted=transport.tls is not None)
    if transport.tls is None and not is_loopback(listener):
        _LOG.warning("%s is not encrypted: tokens can be read on the way, unless a proxy before it ends TLS", url)

    def ready() -> None:
        # What is there by now stays: not looking through it again and again spares the slowest requests 50 ms.
        gc.collect()
        gc.freeze()
        if on_ready is not None:
            on_ready(url)

    server = _Server(make_app(served, limits=limits), limits, on_ready=ready, options=_options(transport))
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()


def _options(transport: Transport) -> dict[str, Any]:
    options: dict[str, Any] = {"timeout_graceful_shutdown": transport.grace_s, "loop": "auto"}
    if transport.tls is not None:
        options |= {"ssl_certfile": transport.tls.certificate, "ssl_keyfile": transport.tls.key}
    if transport.trusted_proxies is not None:
        options |= {"proxy_headers": True, "forwarded_allow_ips": transport.trusted_proxies}
    return options


class ServerThread:
    """A service on a free port of 127.0.0.1, in a thread of its own; a context manager.

    Args:
        served: Answers the requests; a service is served for whoever shows the `token`.
        port: 0 takes a free one.
        limits: What is taken on at once.

    Attributes:
        url: Where the service is.
        token: Opens it, where a service was given; None where a host was.

    Example:
        >>> with ServerThread(service) as server:  # doctest: +SKIP
        ...     workspace = amlsdk.connect(server.url, token=server.token)
    """

    def __init__(self, served: Host | Service, *, port: int = 0, limits: Limits | None = None) -> None:
        host = served if isinstance(served, Host) else SingleHost(served)
        self.token: str | None = host.token if isinstance(host, SingleHost) else None
        self._listener = listen("127.0.0.1", port)
        self.url = url_of(self._listener)
        self._up = threading.Event()
        limits = limits or Limits()
        self._server = _Server(make_app(host, limits=limits), limits, on_ready=self._up.set, options={})
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

    def __init__(
        self, app: Starlette, limits: Limits, *, on_ready: Callable[[], None], options: dict[str, Any]
    ) -> None:
        config: dict[str, Any] = {
            "http": protocol_for(limits.connections),
            "loop": "asyncio",
            "lifespan": "off",
            "ws": "none",
            "log_config": None,
            "access_log": False,
            "server_header": False,
            # By default uvicorn believes whoever speaks from this machine.
            "proxy_headers": False,
            "timeout_keep_alive": _KEEP_ALIVE_S,
            "timeout_graceful_shutdown": Transport().grace_s,
        }
        super().__init__(uvicorn.Config(app, **config | options))
        self._app, self._on_ready = app, on_ready
        app.state.metrics.connections = lambda: len(self.server_state.connections)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.operations.stop()
        await super().shutdown(sockets=sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        # uvicorn would raise the signal again after the end, and an end that was asked for is no failure.
        self._captured_signals.clear()
