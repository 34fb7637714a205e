"""The supervisor's socket: JSON lines, an answer for each order; its end is the order to end."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

__all__ = ["Control", "Orders"]

Order = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
Orders = Mapping[str, Order]

# Of a line: a request to be scored is in one.
_MOST_LINE_BYTES = 256 << 20


class Control:
    """The connection to the supervisor.

    Args:
        connected: The socket.
        orders: What to do, by name.
    """

    def __init__(self, connected: socket.socket, orders: Orders) -> None:
        self._socket, self._orders = connected, orders
        self._writer: asyncio.StreamWriter | None = None
        self._working: set[asyncio.Task[None]] = set()

    async def connect(self) -> asyncio.StreamReader:
        """Begin; returns what `follow` reads."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._socket, limit=_MOST_LINE_BYTES)
        return reader

    def say(self, message: Mapping[str, Any]) -> None:
        """Send a message."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def follow(self, reader: asyncio.StreamReader) -> None:
        """Carry out orders until the supervisor is gone."""
        while True:
            try:
                line = await reader.readline()
            except (ConnectionError, ValueError):
                return
            if not line.endswith(b"\n"):
                return
            # Draining takes long, and orders that come meanwhile are not to wait for it.
            task = asyncio.ensure_future(self._carry_out(line))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def _carry_out(self, line: bytes) -> None:
        number = None
        try:
            message = json.loads(line)
            number = message.get("id")
            order = self._orders[message["do"]]
            self.say({"id": number, "ok": True, **await order(message)})
        except Exception as error:  # noqa: BLE001  # whatever it is, the supervisor is told, and the service goes on
            self.say({"id": number, "ok": False, "error": f"{type(error).__name__}: {error}"})
