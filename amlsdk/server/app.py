"""A service as an ASGI application: the table of operations, answered over HTTP.

There is no authentication: whoever reaches the application is whoever the service was opened for. So it answers on
the loopback address only.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from amlsdk.errors import AmlError, InvalidArgument, NotFound
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.server.bodies import read_json, read_stream
from amlsdk.server.ending import Body, has_body, send_before_end
from amlsdk.server.guards import LoopbackOnly
from amlsdk.server.openapi import describe
from amlsdk.server.replies import fault_reply, internal_reply, json_reply, refusal, reply_of
from amlsdk.server.routing import Match, find, nothing_at, verbs
from amlsdk.server.threads import Threads
from amlsdk.server.waiting import Gone, Waiter
from amlsdk.service import Service
from amlsdk.wire import decode_request

__all__ = ["Operations", "make_app"]

_THREADS = 32
_MAX_QUERY_FIELDS = 100


def make_app(service: Service) -> Starlette:
    """Return the application that answers for a service.

    Besides the operations under `/v1` it has `/healthz` (the process answers), `/readyz` (the service answers) and
    `/openapi.json`. `app.state.operations.stop()` ends waiting requests, for a server that is to stop.
    """
    operations = Operations(service)
    app = Starlette(
        routes=[
            Route("/healthz", _health),
            Route("/readyz", operations.ready),
            Route("/openapi.json", _openapi),
            Route("/v1/{rest:path}", operations),
        ],
        middleware=[Middleware(LoopbackOnly)],
        exception_handlers={HTTPException: _http_error},
    )
    app.router.redirect_slashes = False
    app.state.operations = operations
    return app


async def _health(_: Request) -> Response:
    return json_reply({"status": "ok"})


async def _openapi(_: Request) -> Response:
    return json_reply(describe())


async def _http_error(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    if status == NotFound.status:
        return fault_reply(nothing_at(_path(request)))
    headers = {key.lower(): value for key, value in (getattr(error, "headers", None) or {}).items()}
    return refusal(status, f"{request.method} {request.url.path[:200]}: {getattr(error, 'detail', error)}", **headers)


class Operations:
    """The routes of the table, as an ASGI application.

    Args:
        service: Answers the requests.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @functools.cached_property
    def _threads(self) -> Threads:
        # Made by the first request, because it belongs to the event loop.
        return Threads(_THREADS)

    @functools.cached_property
    def _waiter(self) -> Waiter:
        return Waiter(self._service, self._threads)

    def stop(self) -> None:
        """Answer waiting requests with what there is; to be called in the event loop."""
        self._waiter.stop()

    async def ready(self, _: Request) -> Response:
        """Say whether the service answers, by asking it."""
        try:
            await self._threads.run(self._service.send, GetWorkspace())
        except AmlError as error:
            return fault_reply(error)
        except Exception as error:  # noqa: BLE001  # told under a reference, and logged
            return internal_reply("readyz", error)
        return json_reply({"status": "ready"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = Body(receive)
        request = Request(scope, body, send)
        try:
            response = await self._answer(request)
        except (ClientDisconnect, Gone):
            return
        if request.method == "HEAD":
            response = Response(status_code=response.status_code, headers=dict(response.headers))
        if has_body(request.headers) and not body.whole:
            await send_before_end(response, body, send)
        else:
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = _path(request)
        verb = "GET" if request.method == "HEAD" else request.method
        try:
            match = find(verb, path)
            if match is None:
                allowed = ", ".join(verbs(path))
                return refusal(405, f"{path[:200]!r} takes {allowed}, not {verb[:20]}", allow=allowed)
            return await self._carry_out(match, request)
        except AmlError as error:
            return fault_reply(error)
        except (ClientDisconnect, Gone):
            raise
        except Exception as error:  # noqa: BLE001  # told under a reference, and logged
            return internal_reply(f"{verb[:20]} {path[:200]}", error)

    async def _carry_out(self, match: Match, request: Request) -> Response:
        operation = match.operation
        decode = functools.partial(decode_request, operation, match.path, query=_query(request))
        with contextlib.ExitStack() as kept:
            if operation.body:
                stream, file = await read_stream(request, operation, self._threads)
                kept.enter_context(file)
                reply = await self._threads.run(lambda: self._service.send(decode(body=stream)))
            else:
                content = await read_json(request, operation)
                reply = await self._send(match, request, functools.partial(decode, body=content))
        check_only = request.headers.get("aml-check") == "stream"
        return await reply_of(operation, reply, threads=self._threads, check_only=check_only)

    async def _send(self, match: Match, request: Request, decode: Any) -> Any:
        if not match.operation.waits:
            return await self._threads.run(lambda: self._service.send(decode()))
        wanted = decode()
        # A `wait_s` that can't be meant is for the service to refuse, in its own words.
        if not wanted.wait_s > 0:
            return await self._threads.run(self._service.send, wanted)
        return await self._waiter.send(wanted, gone=request.is_disconnected)


def _path(request: Request) -> str:
    raw: bytes | None = request.scope.get("raw_path")
    if raw is None:
        return quote(request.scope["path"])
    return raw.partition(b"?")[0].decode("latin-1")


def _query(request: Request) -> dict[str, str]:
    text = request.scope["query_string"].decode("latin-1")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_QUERY_FIELDS))
    except ValueError as error:
        raise InvalidArgument(f"the query {text[:200]!r} can't be read: {error}") from error
