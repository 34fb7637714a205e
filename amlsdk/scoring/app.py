"""The scoring service as an ASGI application: all paths, and `POST /score` where it is not answered by the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from amlsdk.scoring.desk import Desk, has_small_body
from amlsdk.scoring.metrics import metrics_text
from amlsdk.scoring.page import PAGE
from amlsdk.scoring.queue import FutureTicket
from amlsdk.scoring.replies import Refused, Reply, refusal

__all__ = ["ScoringApp"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_TEXT = b"text/plain; charset=utf-8"
_HTML = b"text/html; charset=utf-8"
# No script, style or form but the page's own; nothing is fetched from elsewhere.
_POLICY = (
    b"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"accept"),
)
_DISCARD_S = 5.0


class ScoringApp:
    """Answers HTTP requests by a desk.

    Args:
        desk: Knows who may ask, and scores.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._pages: dict[str, Callable[[Message], Reply]] = {
            "/": self._root,
            "/healthz": lambda _: Reply(200, b"Healthy", content_type=_TEXT),
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/openapi.json": self._document,
            "/swagger.json": self._document,
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        if scope["path"] == "/score" and scope["method"] == "POST":
            reply = await self._score(scope, receive)
            if reply is None:
                return
        else:
            reply = self._page(scope)
        await _send(reply, send)

    def _page(self, scope: Message) -> Reply:
        page = self._pages.get(scope["path"])
        if page is not None and scope["method"] in {"GET", "HEAD"}:
            return page(scope)
        if page is None and scope["path"] != "/score":
            return refusal(404, "NotFound", "there is nothing here; a request is scored by POST /score")
        allowed = b"POST" if page is None else b"GET, HEAD"
        message = f"{allowed.decode()} is expected here, not {scope['method'][:16]}"
        return refusal(405, "MethodNotAllowed", message, ((b"allow", allowed),))

    async def _score(self, scope: Message, receive: Receive) -> Reply | None:
        """Return the answer to a scoring request, None where the client has left."""
        desk, ticket = self._desk, FutureTicket(asyncio.get_running_loop())
        try:
            await self._check(scope, receive)
            body = await asyncio.wait_for(self._read(receive), desk.settings.read_timeout_s)
        except Refused as error:
            desk.queue.refuse(ticket, error.reply)
        except asyncio.TimeoutError:
            desk.queue.refuse(ticket, _closing(desk.too_slow()))
        else:
            if body is None:
                return None
            desk.queue.submit(ticket, body)
        return await ticket.reply

    async def _check(self, scope: Message, receive: Receive) -> None:
        refused = self._desk.check_headers(scope["headers"])
        if refused is not None:
            await _discard(receive)
            raise Refused(refused if has_small_body(scope["headers"]) else _closing(refused))

    async def _read(self, receive: Receive) -> bytearray | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._desk.settings.max_body_bytes:
                del body
                await _discard(receive)
                raise Refused(_closing(self._desk.too_large()))
            if not message.get("more_body"):
                return body

    def _root(self, scope: Message) -> Reply:
        accepted = next((value for name, value in scope["headers"] if name == b"accept"), b"")
        if b"text/html" in accepted:
            return Reply(200, PAGE, _PAGE_HEADERS, content_type=_HTML)
        return Reply(200, b"Healthy", ((b"vary", b"accept"),), content_type=_TEXT)

    def _readyz(self, _: Message) -> Reply:
        if self._desk.is_ready:
            return Reply(200, b"Ready", content_type=_TEXT)
        return refusal(503, "Unavailable", "draining" if self._desk.draining else "loading the model")

    def _metrics(self, _: Message) -> Reply:
        queue = self._desk.queue
        text = metrics_text(self._desk.traffic(), waiting=queue.waiting, in_flight=queue.in_flight)
        return Reply(200, text.encode(), content_type=b"text/plain; version=0.0.4; charset=utf-8")

    def _document(self, scope: Message) -> Reply:
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        refused = self._desk.check_key(authorization)
        if refused is not None:
            return refused
        if self._desk.openapi is None:
            return refusal(503, "Unavailable", "loading the model")
        return Reply(200, self._desk.openapi)


def _closing(reply: Reply) -> Reply:
    return Reply(reply.status, reply.body, (*reply.headers, (b"connection", b"close")), reply.content_type)


async def _discard(receive: Receive) -> None:
    """Read what is left of a body and throw it away, so that the client gets to read the answer."""

    async def read() -> None:
        while (await receive()).get("more_body"):
            pass

    try:
        await asyncio.wait_for(read(), _DISCARD_S)
    except asyncio.TimeoutError:
        return


async def _send(reply: Reply, send: Send) -> None:
    length = str(len(reply.body)).encode()
    headers = [(b"content-type", reply.content_type), (b"content-length", length), *reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
