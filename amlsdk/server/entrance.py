"""Where every request comes in: counted, given an id, written to the access log."""

from __future__ import annotations

import datetime as dt
import logging
import time

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amlsdk.server.metrics import Metrics
from amlsdk.server.visits import Visit

__all__ = ["ACCESS", "Entrance"]

# One line of JSON a request, at the level INFO.
ACCESS = logging.getLogger("amlsdk.access")

# As nginx has it; there is no status for who has left.
_LEFT = 499
_ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class Entrance:
    """An ASGI application around another.

    Args:
        app: Answers.
        metrics: Counts.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = Visit.begin(scope)
        self._metrics.in_flight += 1
        try:
            await self._app(scope, _counting(receive, visit), _noting(send, visit))
        finally:
            self._metrics.in_flight -= 1
            visit.status = visit.status or _LEFT
            took_s = time.perf_counter() - visit.begun
            self._metrics.count(visit, took_s)
            if ACCESS.isEnabledFor(logging.INFO):
                ACCESS.info("%s", _line(visit, took_s))


def _counting(receive: Receive, visit: Visit) -> Receive:
    async def counted() -> Message:
        message = await receive()
        visit.bytes_in += len(message.get("body", b""))
        return message

    return counted


def _noting(send: Send, visit: Visit) -> Send:
    async def noted(message: Message) -> None:
        if message["type"] == "http.response.start":
            visit.status = message["status"]
            own = (*_ALWAYS, (b"x-request-id", visit.request_id.encode()))
            message["headers"] = [*message.get("headers", ()), *own]
        else:
            visit.bytes_out += len(message.get("body", b""))
        await send(message)

    return noted


def _line(visit: Visit, took_s: float) -> str:
    who = visit.principal
    line = {
        "at": dt.datetime.now(dt.timezone.utc),
        "request_id": visit.request_id,
        "method": visit.method,
        "route": visit.route,
        "status": visit.status,
        "duration_ms": round(took_s * 1e3, 3),
        "bytes_in": visit.bytes_in,
        "bytes_out": visit.bytes_out,
        "user": who.name if who else None,
        "token_id": who.token_id or None if who else None,
        "workspace_id": visit.workspace_id,
        "address": visit.address,
    }
    return orjson.dumps(line, option=orjson.OPT_UTC_Z).decode()
