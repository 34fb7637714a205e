"""A scoring request on a connection, as uvicorn's protocol wants it and as the queue does."""

from __future__ import annotations

from typing import Protocol

from amlsdk.scoring.queue import Ticket
from amlsdk.scoring.replies import Reply

__all__ = ["Exchange"]


class _Connection(Protocol):
    def write_reply(self, reply: Reply, *, keep_alive: bool) -> None:
        """Write an answer."""


class _Nothing:
    """Stands where uvicorn's cycles have an event."""

    def set(self) -> None:
        pass


_NOTHING = _Nothing()


class Exchange(Ticket):
    """A scoring request on a connection, where uvicorn has a cycle of request and response."""

    __slots__ = ("body", "keep_alive", "protocol", "refused", "response_complete")

    message_event = _NOTHING

    def __init__(self, protocol: _Connection, *, keep_alive: bool) -> None:
        super().__init__()
        self.protocol = protocol
        self.keep_alive = keep_alive
        self.body: bytes | bytearray = b""
        self.refused: Reply | None = None
        self.response_complete = False

    @property
    def disconnected(self) -> bool:
        """Whether the connection is lost; uvicorn sets it."""
        return self.gone

    @disconnected.setter
    def disconnected(self, value: bool) -> None:
        self.gone = value

    def answer(self, reply: Reply) -> None:
        """Write the answer."""
        self.response_complete = True
        if not self.gone:
            self.protocol.write_reply(reply, keep_alive=self.keep_alive)
