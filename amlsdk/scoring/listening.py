"""Connections: accepted, looked at a few times a second, and drained; uvicorn's protocols without uvicorn's server.

A worker begins and ceases to accept several times in its life, which uvicorn's own server does once.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from amlsdk.scoring.app import ScoringApp
from amlsdk.scoring.desk import Desk

__all__ = ["Listening"]

_TICK_S = 0.1
# While draining: a client may just be sending on a connection that was idle until now.
_IDLE_GRACE_S = 2.0


class Listening:
    """A scoring service on a socket.

    Args:
        desk: What all connections share.
        listener: A socket that is bound, and may be shared with other processes.
        loop: The event loop.
    """

    def __init__(self, desk: Desk, listener: socket.socket, *, loop: asyncio.AbstractEventLoop) -> None:
        self._desk, self._listener, self._loop = desk, listener, loop
        self._config = _configure(desk)
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.AbstractServer | None = None
        self._ticking = loop.create_task(self._tick())

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._state.connections)

    async def accept(self) -> None:
        """Begin to accept connections; while it does, nothing happens."""
        self._desk.draining = False
        # A drain that is under way is given up: at its end it would cut connections that are welcome again.
        self._desk.left.set()
        if self._server is None:
            # The server closes its socket when it ends, and this one is still needed then.
            own = socket.socket(fileno=os.dup(self._listener.fileno()))
            own.setblocking(False)
            self._server = await self._loop.create_server(self._protocol, sock=own, backlog=2048)

    async def drain(self, grace_s: float) -> None:
        """Cease to accept; returns when no connection is left, or after so many seconds, when it cuts them."""
        desk = self._desk
        if self._server is not None:
            self._server.close()
            self._server = None
        desk.draining, desk.draining_since = True, self._loop.time()
        desk.left.clear()
        if self._state.connections:
            self._end_by_uvicorn()
            try:
                await asyncio.wait_for(desk.left.wait(), grace_s)
            except asyncio.TimeoutError:
                for connection in list(self._state.connections):
                    connection.transport.abort()

    def _protocol(self) -> asyncio.Protocol:
        make: Any = self._config.http_protocol_class
        made: asyncio.Protocol = make(config=self._config, server_state=self._state, app_state={}, _loop=self._loop)
        return made

    async def _tick(self) -> None:
        while True:
            self._desk.tick()
            self._state.default_headers = [(b"date", self._desk.date)]
            now = self._loop.time()
            idle_s = self._idle_s(now)
            for connection in list(self._state.connections):
                look = getattr(connection, "look", None)
                if look is not None:
                    look(now, idle_s=idle_s)
            if not self._state.connections:
                self._desk.left.set()
            await asyncio.sleep(_TICK_S)

    def _idle_s(self, now: float) -> float:
        settings = self._desk.settings
        if self._desk.draining and now - self._desk.draining_since > _IDLE_GRACE_S:
            return _IDLE_GRACE_S
        return settings.keep_alive_s

    def _end_by_uvicorn(self) -> None:
        # Connections of its pure Python protocol are not looked at here.
        for connection in list(self._state.connections):
            if not hasattr(connection, "look"):
                connection.shutdown()


def _configure(desk: Desk) -> uvicorn.Config:
    return uvicorn.Config(
        ScoringApp(desk),
        http=_http(desk),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=int(desk.settings.keep_alive_s),
    )


def _http(desk: Desk) -> Any:
    if importlib.util.find_spec("httptools") is None:
        return "h11"
    from amlsdk.scoring.protocol import ScoringProtocol

    return type("BoundProtocol", (ScoringProtocol,), {"desk": desk})
