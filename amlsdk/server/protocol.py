"""The connections of a server: HTTP/1.1 as uvicorn and httptools speak it, with an end to all that costs no token.

A head that does not come to its end, one that never ends, requests that are never read the answers of: each costs a
connection and some memory before anybody is asked who they are. Beside h11, the other parser that uvicorn has, a small
request takes two thirds of the time and a large body half of it.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.scoring.flow import Flow

__all__ = ["Protocol", "protocol_for"]

_HEAD_S = 20.0
_STALLED_S = 60.0
_LINGER_S = 5.0
# A filter of 64 KiB is three times as long when it is quoted.
_MOST_HEAD_BYTES = 1 << 20
_LONG_PATH = 32 << 10
_MOST_HEADERS = 200
_VERSIONS = ("1.1", "1.0")
# What may come between two pieces of a body: the sizes of chunks, what is said beside them, fields after the last.
_MOST_FRAMING_BYTES = 64 << 10


def protocol_for(most_connections: int) -> type[asyncio.Protocol]:
    """Return the protocol of a server's connections.

    Args:
        most_connections: How many may be open at once.
    """
    return type("Limited", (Protocol,), {"most_connections": most_connections})


class Protocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        most_connections: How many may be open at once.
    """

    most_connections = 1000

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head, self._is_begun = True, False
        self._discarding = False
        self._head_bytes = self._framing_bytes = self._body_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin; a connection too many is told so, and closed."""
        super().connection_made(transport)
        self.flow = Flow(transport, self.pipeline)
        if len(self.connections) > self.most_connections:
            self._refuse(503, Unavailable.code, "the server has too many connections open; try again in a moment")
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._cancel_head_timer()
        self._cancel_stall_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and see what it amounts to."""
        if self._discarding:
            return
        self._unset_keepalive_if_required()
        before = self._body_bytes
        if self._in_head:
            self._head_bytes += len(data)
            self._expect_head()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(400, InvalidArgument.code, "this is not HTTP/1.1, which alone is spoken here")
            return
        except httptools.HttpParserUpgrade:
            # Answered as if no other protocol had been asked for; what follows can't be told from that one.
            self._finish_and_close()
            return
        self._look_at_progress(len(data), had_body=self._body_bytes != before)

    def _look_at_progress(self, received: int, *, had_body: bool) -> None:
        if self._is_begun:
            # Also where the beginning of a head came with the end of an earlier request.
            self._expect_head()
        if self._in_head:
            if self._head_bytes > _MOST_HEAD_BYTES:
                self._refuse(431, InvalidArgument.code, f"the head of a request has at most {_MOST_HEAD_BYTES} bytes")
            return
        self._framing_bytes = 0 if had_body else self._framing_bytes + received
        if self._framing_bytes > _MOST_FRAMING_BYTES:
            self._refuse(400, InvalidArgument.code, "too much came between the pieces of a body; send the body itself")

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        super().on_message_begin()
        self._in_head = self._is_begun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; one that comes after the body (a trailer) means nothing here."""
        if self._in_head:
            if len(self.headers) >= _MOST_HEADERS:
                raise ValueError(f"a request has at most {_MOST_HEADERS} fields in its head")
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        if self.parser.get_http_version() not in _VERSIONS:
            raise ValueError("another version of HTTP")
        self._in_head = self._is_begun = False
        self._head_bytes = self._framing_bytes = 0
        self._cancel_head_timer()
        # httptools reads no URL of more than 64 KiB, and filters may be longer.
        target, _, query = self.url.partition(b"?")
        is_long = len(target) > _LONG_PATH and target.startswith(b"/")
        path = unquote(target.decode("ascii")) if is_long else ""
        self.url = b"/" if is_long else target
        super().on_headers_complete()
        self.scope["query_string"] = query
        if is_long:
            self.scope["path"], self.scope["raw_path"] = path, target

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that another head may come."""
        super().on_message_complete()
        self._in_head = True

    # What is refused.

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer in the form of all errors, and close."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self._in_head:
                # That is an earlier request, which is still answered.
                self._finish_and_close()
                return
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                # What came now would be taken for a part of the reply that is under way.
                self.transport.abort()
                return
        body = orjson.dumps({"code": code, "message": message})
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self._linger()

    def _finish_and_close(self) -> None:
        """Close the connection as soon as what was asked is answered."""
        self._discarding = True
        self._cancel_head_timer()
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def _linger(self) -> None:
        """Let the client read why: a connection that is closed while it still sends is reset, and the reply lost."""
        self._discarding = True
        self._cancel_head_timer()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.abort)

    # Who is too slow.

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(_HEAD_S, self._head_did_not_come)

    def _head_did_not_come(self) -> None:
        if self._is_begun:
            self._refuse(408, Unavailable.code, f"the head of the request did not come within {_HEAD_S:g} s")
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """Wait until the client takes what was sent; not for ever."""
        super().pause_writing()
        self._stall_timer = self.loop.call_later(_STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._cancel_stall_timer()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that is not used; one whose last reply was not even taken, at once."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _cancel_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
