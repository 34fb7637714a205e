"""Replies that are sent while the body of their request is still on its way."""

from __future__ import annotations

import anyio
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Send

__all__ = ["Body", "has_body", "send_before_end"]

_LINGER_S = 5.0
_LINGER_BYTES = 64 << 20


class Body:
    """The messages of a request, as ASGI's `receive`.

    Attributes:
        whole: Whether all of the body has come, or the client is gone.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.whole = False

    async def __call__(self) -> Message:
        """Return the next message."""
        message = await self._receive()
        self.whole = self.whole or message["type"] != "http.request" or not message.get("more_body", False)
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
        while left > 0 and not body.whole:
            left -= len((await body()).get("body", b""))
    await send({"type": "http.response.body", "body": b"", "more_body": False})
