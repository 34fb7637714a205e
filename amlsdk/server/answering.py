"""The operations of the table, as an ASGI application."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from amlsdk.errors import AmlError, InvalidArgument
from amlsdk.operations import Operation
from amlsdk.operations.runs import AppendJournal
from amlsdk.operations.tenancy import DeleteToken, RenewToken
from amlsdk.records.streams import ByteStream
from amlsdk.server.bodies import read_json, read_stream
from amlsdk.server.callers import Callers
from amlsdk.server.ending import Body, has_body, send_before_end
from amlsdk.server.faults import fault
from amlsdk.server.limits import Busy, Limits
from amlsdk.server.metrics import Metrics
from amlsdk.server.replies import internal_reply, refusal, reply_of
from amlsdk.server.routing import Match, find, verbs
from amlsdk.server.threads import Threads
from amlsdk.server.visits import Visit, visit_of
from amlsdk.server.waiting import Gone, Waiter
from amlsdk.service import Guard, Host
from amlsdk.wire import decode_request, decode_segment, encode_reply

__all__ = ["Operations", "bearer", "path_of"]

_THREADS = 32
_MAX_QUERY_FIELDS = 100
# After these a token opens something else than before.
_OF_TOKENS = (DeleteToken, RenewToken)


class Operations:
    """Answers requests under `/v1` and `/w/<workspace>/v1`.

    Args:
        host: Knows who asks, and answers them.
        limits: What is taken on at once.
        metrics: Where requests are counted.
    """

    def __init__(self, host: Host, *, limits: Limits, metrics: Metrics) -> None:
        self._host, self._limits, self._metrics = host, limits, metrics

    # These three are made by the first request, because they belong to the event loop.

    @functools.cached_property
    def threads(self) -> Threads:
        """Where the host is asked."""
        return Threads(_THREADS)

    @functools.cached_property
    def callers(self) -> Callers:
        """Who may ask."""
        return Callers(self._host, self._limits, self.threads)

    @functools.cached_property
    def _waiter(self) -> Waiter:
        return Waiter(self.threads, most=self._limits.waiting, metrics=self._metrics)

    def stop(self) -> None:
        """Answer waiting requests with what there is; to be called in the event loop."""
        self._waiter.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = Body(receive)
        request = Request(scope, body, send)
        try:
            response = await self._answer(request, visit_of(scope))
        except (ClientDisconnect, Gone):
            return
        if request.method == "HEAD":
            response = Response(status_code=response.status_code, headers=dict(response.headers))
        if has_body(request.headers) and not body.whole:
            await send_before_end(response, body, send)
        else:
            await response(scope, receive, send)

    async def _answer(self, request: Request, visit: Visit) -> Response:
        path = path_of(request)
        verb = "GET" if request.method == "HEAD" else request.method
        try:
            self._refuse_if_busy()
            # First: who is not known is not told what there is.
            visit.principal = await self.callers.principal(bearer(request), visit.address)
            workspace, path = _place(path)
            match = find(verb, path)
            if match is None:
                allowed = ", ".join(verbs(path))
                return refusal(405, f"{path[:200]!r} takes {allowed}, not {verb[:20]}", allow=allowed)
            visit.route = match.operation.path
            return await self._carry_out(match, request, visit, workspace)
        except AmlError as error:
            return fault(error)
        except (ClientDisconnect, Gone):
            raise
        except Exception as error:  # noqa: BLE001  # told under a reference, and logged
            return internal_reply(f"{verb[:20]} {path[:200]}", error)

    def _refuse_if_busy(self) -> None:
        if self.threads.queued > self._limits.queued:
            raise Busy("the service has more requests than it can answer now; try again in a moment")

    async def _carry_out(self, match: Match, request: Request, visit: Visit, workspace: str | None) -> Response:
        operation = match.operation
        check_only = _check_only(request)
        decode = functools.partial(decode_request, operation, match.path, query=_query(request))
        ask = functools.partial(self._ask, visit, workspace)
        if operation.body:
            stream, file = await read_stream(request, operation, self.threads)
            with file:
                reply = await self.threads.run(self._work, operation, ask, functools.partial(decode, body=stream))
        else:
            content = await read_json(request, operation) if has_body(request.headers) else b""
            decode = functools.partial(decode, body=content)
            reply = await self._send(operation, request, ask, decode)
        if isinstance(reply, bytes):
            return Response(reply, media_type="application/json")
        return await reply_of(operation, reply, threads=self.threads, check_only=check_only)

    async def _send(
        self, operation: Operation, request: Request, ask: Callable[[Any], Any], decode: Callable[[], Any]
    ) -> Any:
        if not operation.waits:
            return await self.threads.run(self._work, operation, ask, decode)
        wanted = decode()
        # A `wait_s` that can't be meant is for the service to refuse, in its own words.
        if not wanted.wait_s > 0:
            return await self.threads.run(ask, wanted)
        token = bearer(request)

        def ask_again(wanted: Any) -> Any:
            # Whoever was shut out meanwhile does not wait on.
            self.callers.sign_in(token)
            return ask(wanted)

        return await self._waiter.send(ask_again, wanted, gone=request.is_disconnected)

    def _work(self, operation: Operation, ask: Callable[[Any], Any], decode: Callable[[], Any]) -> bytes | ByteStream:
        """Read a request, carry it out and write its reply: in one thread, since each change of threads costs time."""
        reply = ask(decode())
        return reply if isinstance(reply, ByteStream) else encode_reply(operation, reply)

    def _ask(self, visit: Visit, workspace: str | None, wanted: Any) -> Any:
        service = self._host.service(visit.caller, workspace)
        try:
            return service.send(wanted)
        finally:
            if isinstance(service, Guard):
                visit.workspace_id = service.workspace_id
            if isinstance(wanted, _OF_TOKENS):
                self.callers.forget()
            elif isinstance(wanted, AppendJournal):
                visit.journal_lines = sum(chunk.count(b"\n") for chunk in wanted.content)


def path_of(request: Request) -> str:
    """Return the path of a request, quoted as it was sent."""
    raw: bytes | None = request.scope.get("raw_path")
    if raw is None:
        return quote(request.scope["path"])
    return raw.partition(b"?")[0].decode("latin-1")


def bearer(request: Request) -> str | None:
    """Return the token of a request (RFC 6750, section 2.1); None where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _place(path: str) -> tuple[str | None, str]:
    """Return which workspace a quoted path is for, and the path in it."""
    prefix, separator, rest = path.partition("/v1/")
    if not (separator and prefix.startswith("/w/")):
        return None, path
    try:
        return decode_segment(prefix.removeprefix("/w/")), f"/v1/{rest}"
    except ValueError as error:
        raise InvalidArgument(f"the path {path[:200]!r} is not quoted UTF-8: {error}") from error


def _query(request: Request) -> dict[str, str]:
    text = request.scope["query_string"].decode("latin-1")
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError as error:
        raise InvalidArgument(f"the query {text[:200]!r} can't be read: {error}") from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidArgument(f"the query {text[:200]!r} has a field twice; give each once")
    return found


def _check_only(request: Request) -> bool:
    wanted = request.headers.get("aml-check")
    if wanted not in (None, "stream"):
        raise InvalidArgument(f"the header Aml-Check is `stream` or absent, not {wanted[:80]!r}")
    return wanted is not None
