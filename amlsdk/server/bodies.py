"""Bodies of requests: JSON in memory up to a limit, streams through a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO

from starlette.requests import Request

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.operations import Operation
from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.server.threads import Threads
from amlsdk.wire import MAX_JSON

__all__ = ["TooLarge", "WrongType", "read_json", "read_stream"]

_KEPT_IN_MEMORY = 1 << 20


class WrongType(InvalidArgument):
    """The body has another content type than the operation takes."""

    status = 415


class TooLarge(InvalidArgument):
    """The body is larger than what is kept in memory."""

    status = 413


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
        WrongType: It is something else.
    """
    said = request.headers.get("content-length", "0")
    _limit(int(said) if said.isdecimal() else 0, operation)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        _limit(len(content), operation)
    if content:
        _expect_type(request, "application/json", operation)
    return bytes(content)


def _limit(size: int, operation: Operation) -> None:
    if size > MAX_JSON:
        raise TooLarge(f"{operation.name}: the body has more than {MAX_JSON} bytes; send less at once")


async def read_stream(request: Request, operation: Operation, threads: Threads) -> tuple[ByteStream, IO[bytes]]:
    """Return a streamed body, once it has come whole, and the temporary file that whoever asked closes.

    The work begins after the last byte, so that a slow client holds neither a thread nor a transaction.

    Raises:
        WrongType: It is something else than bytes.
        Unavailable: The temporary file can't be written.
    """
    _expect_type(request, "application/octet-stream", operation)
    # Without a name from the start: however this process ends, nothing is left.
    file = tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY)  # noqa: SIM115  # closed by the caller
    try:
        size = await _spool(request, file, threads)
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


async def _spool(request: Request, file: IO[bytes], threads: Threads) -> int:
    size, waiting = 0, bytearray()
    async for chunk in request.stream():
        waiting += chunk
        size += len(chunk)
        if len(waiting) >= CHUNK:
            await threads.run(file.write, bytes(waiting))
            waiting.clear()
    if waiting:
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
