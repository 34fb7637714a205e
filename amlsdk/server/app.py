"""A host as an ASGI application: the table of operations, answered over HTTP to whoever shows a token.

Operations are at `/v1/...`, for the only workspace a caller has, and at `/w/<name or id>/v1/...` for another.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from amlsdk.errors import AmlError, InvalidArgument, NotFound
from amlsdk.server.bodies import read_json, read_stream
from amlsdk.server.ending import Body, has_body, send_before_end
from amlsdk.server.openapi import describe
from amlsdk.server.replies import fault_reply, internal_reply, json_reply, refusal, reply_of
from amlsdk.server.routing import Match, find, nothing_at, verbs
from amlsdk.server.threads import Threads
from amlsdk.server.waiting import Gone, Waiter
from amlsdk.service import Host, Service
from amlsdk.wire import decode_request, decode_segment

__all__ = ["Operations", "make_app"]

_THREADS = 32
_MAX_QUERY_FIELDS = 100


def make_app(host: Host) -> Starlette:
    """Return the application that answers for a host.

    Besides the operations under `/v1` it has `/healthz` (the process answers), `/readyz` (the host can answer) and
    `/openapi.json`. `app.state.operations.stop()` ends waiting requests, for a server that is to stop.
    """
    operations = Operations(host)
    app = Starlette(
        routes=[
            Route("/healthz", _health),
            Route("/readyz", operations.ready),
            Route("/openapi.json", _openapi),
            Route("/v1/{rest:path}", operations),
            Route("/w/{workspace}/v1/{rest:path}", operations),
        ],
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
        host: Knows who asks, and answers them.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    @functools.cached_property
    def _threads(self) -> Threads:
        # Made by the first request, because it belongs to the event loop.
        return Threads(_THREADS)

    @functools.cached_property
    def _waiter(self) -> Waiter:
        return Waiter(self._threads)

    def stop(self) -> None:
        """Answer waiting requests with what there is; to be called in the event loop."""
        self._waiter.stop()

    async def ready(self, _: Request) -> Response:
        """Say whether requests can be answered."""
        try:
            await self._threads.run(self._host.ready)
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
        workspace, path = _place(_path(request))
        verb = "GET" if request.method == "HEAD" else request.method
        try:
            # First: who is not known is not told what there is.
            service = await self._threads.run(self._service_for, _bearer(request), workspace)
            match = find(verb, path)
            if match is None:
                allowed = ", ".join(verbs(path))
                return refusal(405, f"{path[:200]!r} takes {allowed}, not {verb[:20]}", allow=allowed)
            return await self._carry_out(match, request, service)
        except AmlError as error:
            return fault_reply(error)
        except (ClientDisconnect, Gone):
            raise
        except Exception as error:  # noqa: BLE001  # told under a reference, and logged
            return internal_reply(f"{verb[:20]} {path[:200]}", error)

    def _service_for(self, token: str | None, workspace: str | None) -> Service:
        return self._host.service(self._host.sign_in(token), workspace)

    async def _carry_out(self, match: Match, request: Request, service: Service) -> Response:
        operation = match.operation
        decode = functools.partial(decode_request, operation, match.path, query=_query(request))
        with contextlib.ExitStack() as kept:
            if operation.body:
                stream, file = await read_stream(request, operation, self._threads)
                kept.enter_context(file)
                reply = await self._threads.run(lambda: service.send(decode(body=stream)))
            else:
                content = await read_json(request, operation)
                reply = await self._send(match, request, functools.partial(decode, body=content), service)
        check_only = request.headers.get("aml-check") == "stream"
        return await reply_of(operation, reply, threads=self._threads, check_only=check_only)

    async def _send(self, match: Match, request: Request, decode: Any, service: Service) -> Any:
        if not match.operation.waits:
            return await self._threads.run(lambda: service.send(decode()))
        wanted = decode()
        # A `wait_s` that can't be meant is for the service to refuse, in its own words.
        if not wanted.wait_s > 0:
            return await self._threads.run(service.send, wanted)
        return await self._waiter.send(service, wanted, gone=request.is_disconnected)


def _path(request: Request) -> str:
    raw: bytes | None = request.scope.get("raw_path")
    if raw is None:
        return quote(request.scope["path"])
    return raw.partition(b"?")[0].decode("latin-1")


def _place(path: str) -> tuple[str | None, str]:
    """Return which workspace a quoted path is for, and the path in it."""
    prefix, separator, rest = path.partition("/v1/")
    if not (separator and prefix.startswith("/w/")):
        return None, path
    return decode_segment(prefix.removeprefix("/w/")), f"/v1/{rest}"


def _bearer(request: Request) -> str | None:
    """Return the token of a request (RFC 6750, section 2.1)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _query(request: Request) -> dict[str, str]:
    text = request.scope["query_string"].decode("latin-1")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_QUERY_FIELDS))
    except ValueError as error:
        raise InvalidArgument(f"the query {text[:200]!r} can't be read: {error}") from error
