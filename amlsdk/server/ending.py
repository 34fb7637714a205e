"""Replies that are sent while the body of their request is still on its way."""

from __future__ import annotations

import contextlib
import time

import anyio
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Send

from amlsdk.server.bodies import TooSlow

__all__ = ["Body", "has_body", "send_before_end"]

_LINGER_S = 5.0
_LINGER_BYTES = 64 << 20
# Less than any network that is of use.
_LEAST_BYTES_A_S = 1024
_PATIENCE_S = 30.0


class Body:
    """The messages of a request, as ASGI's `receive`.

    Attributes:
        whole: Whether all of the body has come, or the client is gone.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._begun, self._size = time.monotonic(), 0
        self.whole = False

    async def __call__(self) -> Message:
        """Return the next message.

        Raises:
            TooSlow: The body comes in drops, each soon after the other, which would go on for ever.
        """
        message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
        self.whole = self.whole or message["type"] != "http.request" or not message.get("more_body", False)
        took_s = time.monotonic() - self._begun
        if not self.whole and took_s > _PATIENCE_S and self._size < took_s * _LEAST_BYTES_A_S:
            raise TooSlow(
                f"only {self._size} bytes of the body came in {took_s:.0f} s; send at least {_LEAST_BYTES_A_S} a second"
            )
        return message


def has_body(headers: Headers) -> bool:
    """Say whether a request has a body."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


async def send_before_end(response: Response, body: Body, send: Send) -> None:
    """Send a reply, then take a little more of the body and throw it away, then close the connection.

    A connection that is closed while a client still writes is reset, and the reply lost (RFC 9112, section 9.6).
    """
    response.headers["connection"] = "close"
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    left = _LINGER_BYTES
    with anyio.move_on_after(_LINGER_S):
        with contextlib.suppress(TooSlow):
            while left > 0 and not body.whole:
                left -= len((await body()).get("body", b""))
    await send({"type": "http.response.body", "body": b"", "more_body": False})
