"""A host as an ASGI application: the table of operations, answered over HTTP to whoever shows a token.

Operations are at `/v1/...`, for the only workspace a caller has, and at `/w/<name or id>/v1/...` for another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from amlsdk.errors import AmlError, NotFound
from amlsdk.server.answering import Operations, path_of
from amlsdk.server.entrance import Entrance
from amlsdk.server.faults import fault
from amlsdk.server.limits import Limits
from amlsdk.server.metrics import CONTENT_TYPE, Metrics
from amlsdk.server.openapi import as_json
from amlsdk.server.replies import internal_reply, json_reply, refusal
from amlsdk.server.repositories import Repositories
from amlsdk.server.routing import nothing_at
from amlsdk.server.sign_in import SignInPages
from amlsdk.server.visits import visit_of
from amlsdk.service import Host

__all__ = ["make_app"]


def make_app(host: Host, *, limits: Limits | None = None) -> Starlette:
    """Return the application that answers for a host.

    Besides the operations under `/v1` it has `/healthz` (the process answers), `/readyz` (the host can answer),
    `/metrics` and `/openapi.json`, and `/sign-in` where people sign in by a browser; these need no token.
    `app.state.operations.stop()` ends waiting requests, for a server that is to stop.

    Args:
        host: Knows who asks, and answers them.
        limits: What is taken on at once.
    """
    metrics = Metrics()
    operations = Operations(host, limits=limits or Limits(), metrics=metrics)
    public = _Public(host, operations, metrics)
    repositories = Repositories(host, operations)
    app = Starlette(
        routes=[
            Route("/v1/{rest:path}", operations),
            Route("/w/{workspace}/v1/{rest:path}", operations),
            Route("/git/{project_id}.git/{rest:path}", repositories),
            Route("/w/{workspace}/git/{project_id}.git/{rest:path}", repositories),
            *SignInPages(host, operations).routes(),
            Route("/healthz", public.healthz),
            Route("/readyz", public.counted(public.readyz)),
            Route("/metrics", public.counted(public.metrics)),
            Route("/openapi.json", public.counted(public.openapi)),
        ],
        middleware=[Middleware(Entrance, metrics=metrics)],
        exception_handlers={HTTPException: _http_error},
    )
    app.router.redirect_slashes = False
    app.state.operations = operations
    app.state.metrics = metrics
    return app


class _Public:
    """What needs no token, and tells nothing of anybody."""

    def __init__(self, host: Host, operations: Operations, metrics: Metrics) -> None:
        self._host, self._operations, self._metrics = host, operations, metrics

    def counted(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Answer only as often as strangers may ask."""

        async def answered(request: Request) -> Response:
            visit = visit_of(request.scope)
            visit.route = request.url.path
            try:
                self._operations.callers.count_stranger(visit.address)
                return await answer(request)
            except AmlError as error:
                return fault(error)

        return answered

    async def healthz(self, request: Request) -> Response:
        visit_of(request.scope).route = request.url.path
        return json_reply({"status": "ok"})

    async def readyz(self, _: Request) -> Response:
        try:
            await self._operations.threads.run(self._host.ready)
        except AmlError:
            raise
        except Exception as error:  # noqa: BLE001  # told under a reference, and logged
            return internal_reply("readyz", error)
        return json_reply({"status": "ready"})

    async def metrics(self, _: Request) -> Response:
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def openapi(self, _: Request) -> Response:
        return Response(as_json(), media_type="application/json")


async def _http_error(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    if status == NotFound.status:
        return fault(nothing_at(path_of(request)))
    headers = {key.lower(): value for key, value in (getattr(error, "headers", None) or {}).items()}
    return refusal(status, f"{request.method} {request.url.path[:200]}: {getattr(error, 'detail', error)}", **headers)
