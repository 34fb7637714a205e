"""Git repositories over HTTP, as git's own clients ask for them (gitprotocol-http(5), the smart protocol).

Git itself answers: here is decided who may ask for what, and how many at once.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import functools
from collections.abc import AsyncIterator

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from amlsdk.errors import AmlError, NotFound, NotSignedIn
from amlsdk.repositories.mending import mend_head, remove_leftovers
from amlsdk.server.answering import Operations, bearer
from amlsdk.server.faults import fault
from amlsdk.server.git_backend import Answer, begin
from amlsdk.server.limits import Busy
from amlsdk.server.replies import internal_reply
from amlsdk.server.visits import Visit, visit_of
from amlsdk.service import Host

__all__ = ["Repositories"]

# What git asks for, and the services behind it; the older protocol, which reads files by their names, is not spoken.
_SERVICES = {"git-upload-pack": False, "git-receive-pack": True}
# Each is several processes of git. Whoever comes then waits for a while.
_MOST_AT_ONCE = 32
_MOST_AT_ONCE_OF_ONE = 16
_WAIT_S = 60.0
_MOST_KEPT = 1000


class Repositories:
    """Answers `/git/<project id>.git/...` and `/w/<workspace>/git/<project id>.git/...`, as an ASGI application.

    Args:
        host: Has the repositories.
        operations: Know who asks.
    """

    def __init__(self, host: Host, operations: Operations) -> None:
        self._host, self._operations = host, operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive, send)
        async with contextlib.AsyncExitStack() as held:
            feeding: asyncio.Task[None] | None = None
            response: Response
            try:
                answer = await self._answer(request, visit_of(scope), held)
                response, feeding = await answer.response(), answer.feeding
            except ClientDisconnect:
                return
            except NotSignedIn as error:
                # Git asks its user, or its helper, only when it is told so.
                response = fault(error)
                response.headers["www-authenticate"] = 'Basic realm="amlsdk: any name, and a token as password"'
            except AmlError as error:
                response = fault(error)
            except Exception as error:  # noqa: BLE001  # told under a reference, and logged
                response = internal_reply("a repository", error)
            await response(scope, _after(feeding, receive), send)

    async def _answer(self, request: Request, visit: Visit, held: contextlib.AsyncExitStack) -> Answer:
        visit.route = "/git"
        visit.principal = await self._operations.callers.principal(_token(request), visit.address)
        service, rest = _service(request)
        parameters, pushes = request.path_params, _SERVICES[service]
        threads = self._operations.threads
        folder = await threads.run(
            self._host.repository,
            visit.caller,
            parameters.get("workspace"),
            parameters["project_id"],
            push=pushes,
        )
        await held.enter_async_context(self._turns.of(visit.caller.token_id))
        if rest == "/info/refs":
            await threads.run(remove_leftovers if pushes else mend_head, folder)
        answer = await begin(folder, rest, request, user=visit.caller.name)
        held.push_async_callback(answer.end)
        return answer

    @functools.cached_property
    def _turns(self) -> _Turns:
        return _Turns()


class _Turns:
    """Lets so many be answered at once, and of one token so many that others have theirs."""

    def __init__(self) -> None:
        self._all = anyio.Semaphore(_MOST_AT_ONCE)
        self._own: dict[str, anyio.Semaphore] = {}

    @contextlib.asynccontextmanager
    async def of(self, token_id: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it as long as the block goes on.

        Raises:
            Busy: It did not come in time.
        """
        own = self._own.setdefault(token_id, anyio.Semaphore(_MOST_AT_ONCE_OF_ONE))
        if len(self._own) > _MOST_KEPT:
            self._own = {name: each for name, each in self._own.items() if each.value < _MOST_AT_ONCE_OF_ONE}
        async with contextlib.AsyncExitStack() as turns:
            try:
                with anyio.fail_after(_WAIT_S):
                    await turns.enter_async_context(own)
                    await turns.enter_async_context(self._all)
            except TimeoutError:
                raise Busy("the service answers as many git clients as it can; try again in a moment") from None
            yield


def _after(feeding: asyncio.Task[None] | None, receive: Receive) -> Receive:
    """Let the response look for the end of the connection only once all of the body has gone to git."""

    async def later() -> Message:
        if feeding is not None:
            await asyncio.wait([feeding])
        return await receive()

    return later


def _token(request: Request) -> str | None:
    """Return the token of a request: as any client shows it, or as git does, by Basic authentication (RFC 7617)."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return bearer(request)
    try:
        _, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password or None


def _service(request: Request) -> tuple[str, str]:
    """Return the service of git that a request is for, and its path in the repository."""
    rest = request.path_params["rest"]
    asked = request.query_params.get("service", "") if rest == "info/refs" else rest
    if asked not in _SERVICES or (request.method == "GET") is not (rest == "info/refs"):
        raise NotFound("a repository answers to git's own clients only, of version 1.6.6 or later")
    return asked, f"/{rest}"
