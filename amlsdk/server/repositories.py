"""Git repositories over HTTP, as git's own clients ask for them (gitprotocol-http(5), the smart protocol).

Git itself answers, by `git http-backend` (RFC 3875 says how it is asked): here is decided who may ask, and for how
long and how much.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from amlsdk.errors import AmlError, InvalidArgument, NotFound, NotSignedIn, OperationFailed
from amlsdk.repositories.making import KEPT_SETTINGS, settings_in_environment
from amlsdk.server.answering import Operations, bearer
from amlsdk.server.faults import fault
from amlsdk.server.replies import internal_reply
from amlsdk.server.visits import Visit, visit_of
from amlsdk.service import Host

__all__ = ["Repositories"]

# What git asks for, and the services behind it; the older protocol, which reads files by their names, is not spoken.
_SERVICES = {"git-upload-pack": False, "git-receive-pack": True}
_MOST_BYTES = 2 << 30
_SILENCE_S = 120.0
_CHUNK = 64 << 10
_MOST_HEAD_BYTES = 16 << 10
_VERSION = re.compile(r"version=[0-9](?::[a-z0-9=]{1,40})?")


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
        feeding: asyncio.Task[None] | None = None
        response: Response
        try:
            response, feeding = await self._answer(request, visit_of(scope))
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

    async def _answer(self, request: Request, visit: Visit) -> tuple[Response, asyncio.Task[None]]:
        visit.route = "/git"
        visit.principal = await self._operations.callers.principal(_token(request), visit.address)
        service, rest = _service(request)
        parameters = request.path_params
        folder = await self._operations.threads.run(
            self._host.repository,
            visit.caller,
            parameters.get("workspace"),
            parameters["project_id"],
            push=_SERVICES[service],
        )
        process = await _begin(folder, rest, request, user=visit.caller.name)
        return await process.answer(request)


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


async def _begin(folder: Path, rest: str, request: Request, *, user: str) -> _Backend:
    headers = request.headers
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_PROJECT_ROOT": str(folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": rest,
        "QUERY_STRING": f"service={request.query_params['service']}" if rest == "/info/refs" else "",
        "CONTENT_TYPE": headers.get("content-type", ""),
        "REMOTE_USER": user,
        "REMOTE_ADDR": "",
        **_optional(headers),
        **settings_in_environment(
            {**KEPT_SETTINGS, "receive.maxInputSize": str(_MOST_BYTES), "safe.directory": str(folder)}
        ),
    }
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        env=environment,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    return _Backend(process)


def _optional(headers: Headers) -> dict[str, str]:
    found = {}
    length, encoding = headers.get("content-length", ""), headers.get("content-encoding", "identity").lower()
    if length.isdecimal():
        if int(length) > _MOST_BYTES:
            raise InvalidArgument(f"a push has at most {_MOST_BYTES} bytes; keep large files outside of the repository")
        found["CONTENT_LENGTH"] = length
    if encoding in {"gzip", "x-gzip"}:
        # Git unpacks what says what a client has, piece by piece; packs come as they are.
        found["HTTP_CONTENT_ENCODING"] = "gzip"
    elif encoding != "identity":
        raise InvalidArgument(f"git's clients send gzip or plain bytes, not {encoding[:40]!r}")
    version = headers.get("git-protocol", "")
    if _VERSION.fullmatch(version):
        found["GIT_PROTOCOL"] = version
    return found


class _Backend:
    """`git http-backend` at work on one request."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._feeding: asyncio.Task[None] | None = None

    async def answer(self, request: Request) -> tuple[Response, asyncio.Task[None]]:
        """Return the response, whose body is read from git while it is sent, and what gives git the request's."""
        self._feeding = asyncio.create_task(self._feed(request))
        try:
            status, headers = await self._head()
        except BaseException:
            await self._end()
            raise
        return StreamingResponse(self._body(), status_code=status, headers=headers), self._feeding

    async def _feed(self, request: Request) -> None:
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101  # it was asked for
        size = 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > _MOST_BYTES:
                    self._kill()
                    return
                stdin.write(chunk)
                with anyio.fail_after(_SILENCE_S):
                    await stdin.drain()
        except (BrokenPipeError, ConnectionResetError, ClientDisconnect, TimeoutError):
            # Git has read what it needs, or who asked is gone, and git finds half of a request.
            pass
        finally:
            stdin.close()

    async def _head(self) -> tuple[int, dict[str, str]]:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101  # it was asked for
        status, headers, size = 200, {}, 0
        with anyio.fail_after(_SILENCE_S):
            while line := (await stdout.readline()).rstrip(b"\r\n"):
                size += len(line)
                if size > _MOST_HEAD_BYTES:
                    break
                name, _, value = line.decode("latin-1").partition(":")
                if name.lower() == "status":
                    status = int(value.split()[0])
                else:
                    headers[name.strip()] = value.strip()
        if not headers:
            raise OperationFailed("git gave no answer for this repository; look at the log of the service")
        return status, headers

    async def _body(self) -> AsyncIterator[bytes]:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101  # it was asked for
        try:
            while True:
                with anyio.fail_after(_SILENCE_S):
                    chunk = await stdout.read(_CHUNK)
                if not chunk:
                    return
                yield chunk
        finally:
            await self._end()

    async def _end(self) -> None:
        if self._feeding is not None:
            self._feeding.cancel()
        self._kill()
        with anyio.CancelScope(shield=True):
            await self._process.wait()

    def _kill(self) -> None:
        # Its children too: what packs and unpacks is started by it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
