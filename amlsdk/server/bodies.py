"""Bodies of requests: JSON in memory up to a limit, streams through a temporary file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import IO

import anyio
from starlette.requests import Request

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.operations import Operation
from amlsdk.operations.checks import check_size
from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.server.threads import Threads
from amlsdk.wire import MAX_JSON

__all__ = ["TooLarge", "TooSlow", "WrongType", "read_json", "read_stream"]

_KEPT_IN_MEMORY = 1 << 20
_SILENCE_S = 60.0


class WrongType(InvalidArgument):
    """The body has another content type than the operation takes."""

    status = 415


class TooLarge(InvalidArgument):
    """The body is larger than the operation takes."""

    status = 413


class TooSlow(Unavailable):
    """Nothing more of the body came for too long."""

    status = 408


def _expect_type(request: Request, wanted: str, operation: Operation) -> None:
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != wanted:
        raise WrongType(f"{operation.name}: the body is expected as {wanted}, not as {given or 'nothing named'}")
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise WrongType(f"{operation.name}: the body came encoded as {encoding}; send it as it is")


async def read_json(request: Request, operation: Operation) -> bytes:
    """Return a JSON body; empty where there is none.

    Raises:
        TooLarge: It is larger than `MAX_JSON` bytes.
        TooSlow: It does not come.
        WrongType: It is something else.
    """
    content = bytearray()
    async for chunk in _arriving(request, operation, most=MAX_JSON):
        content += chunk
    if content:
        _expect_type(request, "application/json", operation)
    return bytes(content)


async def _arriving(request: Request, operation: Operation, *, most: int | None) -> AsyncIterator[bytes]:
    said = request.headers.get("content-length", "")
    _limit(int(said) if said.isdecimal() else 0, most, operation)
    size, chunks = 0, request.stream()
    while True:
        # Whoever is silent holds a place of a server that has few.
        with anyio.move_on_after(_SILENCE_S) as patience:
            chunk = await anext(chunks, None)
        if patience.cancelled_caught:
            raise TooSlow(f"{operation.name}: nothing of the body came for {_SILENCE_S:g} s; send it again")
        if chunk is None:
            return
        size += len(chunk)
        _limit(size, most, operation)
        yield chunk


def _limit(size: int, most: int | None, operation: Operation) -> None:
    try:
        check_size(size, size if most is None else most, at=operation.name)
    except InvalidArgument as error:
        raise TooLarge(str(error)) from error


async def read_stream(request: Request, operation: Operation, threads: Threads) -> tuple[ByteStream, IO[bytes]]:
    """Return a streamed body, once it has come whole, and the temporary file that whoever asked closes.

    The work begins after the last byte, so that a slow client holds neither a thread nor a transaction.

    Raises:
        TooLarge: It is larger than the operation takes.
        TooSlow: It does not come.
        WrongType: It is something else than bytes.
        Unavailable: The temporary file can't be written.
    """
    _expect_type(request, "application/octet-stream", operation)
    # Without a name from the start: however this process ends, nothing is left.
    file = tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY, dir=_spool_folder())  # noqa: SIM115  # closed by the caller
    try:
        size = await _spool(_arriving(request, operation, most=operation.most_bytes), file, threads)
    except OSError as error:
        file.close()
        raise Unavailable(
            f"{operation.name}: the service can't keep the body ({error.strerror}); look at the disk of its "
            "temporary folder, then try again"
        ) from error
    except BaseException:
        file.close()
        raise
    return ByteStream(begin=lambda: _chunks(file, size), size_bytes=size), file


def _spool_folder() -> str | None:
    # On many systems /tmp is memory, which a large body would fill.
    chosen = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return None if chosen or not os.access("/var/tmp", os.W_OK) else "/var/tmp"  # noqa: S108  # without a name


async def _spool(arriving: AsyncIterator[bytes], file: IO[bytes], threads: Threads) -> int:
    size, waiting = 0, bytearray()
    async for chunk in arriving:
        waiting += chunk
        size += len(chunk)
        if len(waiting) >= CHUNK:
            await threads.run(file.write, bytes(waiting))
            waiting.clear()
    if waiting and size <= _KEPT_IN_MEMORY:
        # Memory keeps nobody waiting, and a change of threads would take longer.
        file.write(bytes(waiting))
    elif waiting:
        await threads.run(file.write, bytes(waiting))
    return size


def _chunks(file: IO[bytes], size: int) -> Iterator[bytes]:
    at = 0
    while at < size:
        # Begun again or twice at once, each reading has a place of its own.
        file.seek(at)
        chunk = file.read(min(CHUNK, size - at))
        at += len(chunk)
        yield chunk
