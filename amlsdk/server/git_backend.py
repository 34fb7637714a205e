"""`git http-backend` at work on one request (RFC 3875 says how it is asked)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import time
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from amlsdk.errors import InvalidArgument, MissingDependency, OperationFailed, Unavailable
from amlsdk.repositories.making import KEPT_SETTINGS, settings_in_environment
from amlsdk.server.git_commands import Commands

__all__ = ["Answer", "begin"]

# The most that a push has, and that a client says of what it has and wants.
_MOST_PUSHED = 2 << 30
_MOST_ASKED = 10 << 20
# Of memory, in one piece; larger files are written through.
_MOST_AT_ONCE = 512 << 20
_LARGE_FILE = 64 << 20
# Neither side has sent anything for so long; and the longest that one request may take.
_SILENCE_S = 120.0
_LONGEST_S = 3600.0
_END_S = 5.0
_CHUNK = 64 << 10
_PIECE = 256 << 10
_MOST_HEAD_BYTES = 16 << 10
_VERSION = re.compile(r"version=[0-9](?::[a-z0-9=]{1,40})?")
_GZIP = 31  # as zlib names it


async def begin(folder: Path, rest: str, request: Request, *, user: str) -> Answer:
    """Let git begin to answer a request.

    Args:
        folder: Of the repository.
        rest: Which of git's places in it is asked for.
        request: What was asked.
        user: Who asks, as a repository's log is to name them.

    Raises:
        InvalidArgument: The body is too large, or in a form that git's clients don't send.
        MissingDependency: There is no git on this machine.
    """
    body = _Body(request, pushes=rest == "/git-receive-pack")
    first = b"" if body.pushes or request.method == "GET" else await body.whole()
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            env=_environment(folder, rest, request, user=user),
            cwd=folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise MissingDependency("repositories are served by git, which the service's machine lacks") from error
    return Answer(process, body, first)


def _environment(folder: Path, rest: str, request: Request, *, user: str) -> Mapping[str, str]:
    version = request.headers.get("git-protocol", "")
    settings = {
        **KEPT_SETTINGS,
        "receive.maxInputSize": str(_MOST_PUSHED),
        "core.bigFileThreshold": str(_LARGE_FILE),
        "safe.directory": str(folder),
    }
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOC_LIMIT": str(_MOST_AT_ONCE),
        "GIT_PROJECT_ROOT": str(folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": rest,
        "QUERY_STRING": f"service={request.query_params['service']}" if rest == "/info/refs" else "",
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "REMOTE_USER": user,
        "REMOTE_ADDR": "",
        **({"GIT_PROTOCOL": version} if _VERSION.fullmatch(version) else {}),
        **settings_in_environment(settings),
    }


class _Body:
    """What a client sends, unpacked; never more of it in memory than a piece, or than a client may ask for.

    Args:
        request: That brings it.
        pushes: Whether it is a push.

    Raises:
        InvalidArgument: It is too large, or in another form.
    """

    def __init__(self, request: Request, *, pushes: bool) -> None:
        self._request, self.pushes = request, pushes
        self._most = _MOST_PUSHED if pushes else _MOST_ASKED
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most:
            raise self._too_large()
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding not in {"identity", "gzip", "x-gzip"}:
            raise InvalidArgument(f"git's clients send gzip or plain bytes, not {encoding[:40]!r}")
        self._packed = encoding != "identity"

    async def whole(self) -> bytes:
        """Return all of it, where it is small by its nature."""
        content = bytearray()
        try:
            with anyio.fail_after(_SILENCE_S):
                async for piece in self.pieces():
                    content += piece
        except TimeoutError as error:
            raise InvalidArgument(f"the request did not come within {_SILENCE_S:.0f} s") from error
        return bytes(content)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Iterate over it."""
        size, unpack = 0, _unpacked if self._packed else _plain
        state = zlib.decompressobj(_GZIP)
        # Git itself refuses a pack that is too large, in words; this is for what comes before and after it.
        most = self._most + (_MOST_ASKED if self.pushes else 0)
        async for chunk in self._request.stream():
            for piece in unpack(chunk, state):
                size += len(piece)
                if size > most:
                    raise self._too_large()
                yield piece

    def _too_large(self) -> InvalidArgument:
        if self.pushes:
            return InvalidArgument(f"a push has at most {_MOST_PUSHED} bytes; keep large files out of the repository")
        return InvalidArgument(f"what a git client says of its commits has at most {_MOST_ASKED} bytes")


def _plain(chunk: bytes, _: object) -> Iterator[bytes]:
    yield chunk


def _unpacked(chunk: bytes, state: zlib._Decompress) -> Iterator[bytes]:
    try:
        while chunk and not state.eof:
            yield state.decompress(chunk, _PIECE)
            chunk = state.unconsumed_tail
    except zlib.error as error:
        raise InvalidArgument(f"the body is said to be gzip, and is not: {error}") from error


class Answer:
    """A process of git that answers a request.

    Args:
        process: Which.
        body: What the client sends.
        first: What of it was read already.
    """

    def __init__(self, process: asyncio.subprocess.Process, body: _Body, first: bytes) -> None:
        self._process, self._body, self._first = process, body, first
        self._heard = time.monotonic()
        self.feeding = asyncio.create_task(self._feed())
        self._watching = asyncio.create_task(self._watch())

    async def response(self) -> Response:
        """Return the response, whose body is read from git while it is sent.

        Raises:
            OperationFailed: Git does not answer.
        """
        try:
            status, headers = await self._head()
        except BaseException:
            await self.end()
            raise
        return StreamingResponse(self._chunks(), status_code=status, headers=headers)

    async def end(self) -> None:
        """End git and what it began; ending twice is no error."""
        self._watching.cancel()
        self.feeding.cancel()
        with anyio.CancelScope(shield=True):
            # First it is let find that nothing more comes, and remove what it has half of: by signals it would not.
            self._close()
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(TimeoutError), anyio.fail_after(_END_S):
                    await self._process.wait()
                self._signal(number)
            await self._process.wait()

    async def _feed(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101  # it was asked for
        try:
            stdin.write(self._first)
            if self._body.pushes:
                await self._pass_on(stdin)
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError, ClientDisconnect, InvalidArgument):
            # Git has read what it needs, or who asked is gone or refused, and git finds half of a request.
            pass
        finally:
            self._close()

    async def _pass_on(self, stdin: asyncio.StreamWriter) -> None:
        commands = Commands(most=_MOST_ASKED)
        async for piece in self._body.pieces():
            commands.take(piece)
            stdin.write(piece)
            await stdin.drain()
            self._heard = time.monotonic()

    async def _watch(self) -> None:
        """End git where nothing is heard of either side for too long, or it all takes too long."""
        until = self._heard + _LONGEST_S
        while (left := min(self._heard + _SILENCE_S, until) - time.monotonic()) > 0:  # noqa: ASYNC110  # it is a clock
            await asyncio.sleep(left)
        self._close()
        await asyncio.sleep(_END_S)
        self._signal(signal.SIGTERM)

    async def _head(self) -> tuple[int, dict[str, str]]:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101  # it was asked for
        status, headers, size = 200, {}, 0
        try:
            while line := (await stdout.readline()).rstrip(b"\r\n"):
                size += len(line)
                if size > _MOST_HEAD_BYTES:
                    break
                name, _, value = line.decode("latin-1").partition(":")
                if name.lower() == "status":
                    status = int(value.split()[0])
                else:
                    headers[name.strip()] = value.strip()
        except ValueError as error:
            raise OperationFailed("git's answer for this repository can't be read") from error
        if not headers:
            raise Unavailable("git gave no answer for this repository; try again, or look whether its folder is whole")
        return status, headers

    async def _chunks(self) -> AsyncIterator[bytes]:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101  # it was asked for
        try:
            while chunk := await stdout.read(_CHUNK):
                yield chunk
                self._heard = time.monotonic()
            with contextlib.suppress(TimeoutError), anyio.fail_after(_END_S):
                await self._process.wait()
        finally:
            await self.end()

    def _close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _signal(self, number: int) -> None:
        if self._process.returncode is None:
            # Its children too: what packs and unpacks is started by it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
