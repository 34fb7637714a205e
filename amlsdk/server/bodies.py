"""Bodies of requests: JSON in memory up to a limit, streams there too or through a temporary file."""

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
from amlsdk.records.filesets import PART_BYTES
from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.server.threads import Threads
from amlsdk.wire import MAX_JSON

__all__ = ["Spool", "TooLarge", "TooSlow", "WrongType", "read_json", "read_stream"]

_HELD_IN_ALL = 64 << 20
# Smaller chunks are put together: a client that sends single bytes must not make a million objects.
_WORTH_KEEPING = 32 << 10
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


async def read_stream(request: Request, operation: Operation, threads: Threads) -> tuple[ByteStream, Spool]:
    """Return a streamed body, once it has come whole, and what whoever asked closes.

    The work begins after the last byte, so that a slow client holds neither a thread nor a transaction.

    Raises:
        TooLarge: It is larger than the operation takes.
        TooSlow: It does not come.
        WrongType: It is something else than bytes.
        Unavailable: The temporary file can't be written.
    """
    _expect_type(request, "application/octet-stream", operation)
    spool = Spool(threads)
    try:
        async for chunk in _arriving(request, operation, most=operation.most_bytes):
            await spool.add(chunk)
        await spool.end()
    except OSError as error:
        spool.close()
        raise Unavailable(
            f"{operation.name}: the service can't keep the body ({error.strerror}); look at the disk of its "
            "temporary folder, then try again"
        ) from error
    except BaseException:
        spool.close()
        raise
    return spool.stream(), spool


class Spool:
    """What has come of a body: in memory while it is small and there is room, else in a temporary file.

    A part of a blob is small: it is written to a disk once, where the service keeps it.

    Args:
        threads: Where the file is written; they know how much is held in memory for them.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._held: list[bytes] = []
        self._held_bytes = self._size = 0
        self._arrived = bytearray()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def add(self, chunk: bytes) -> None:
        """Take a chunk."""
        if len(chunk) >= _WORTH_KEEPING and self._file is None and not self._arrived:
            # As it is: what need not be put together is not copied.
            await self._take(chunk)
            return
        self._arrived += chunk
        if len(self._arrived) >= CHUNK:
            await self.end()

    async def end(self) -> None:
        """Take what came, however little it is."""
        piece, self._arrived = bytes(self._arrived), bytearray()
        if piece:
            await self._take(piece)

    async def _take(self, piece: bytes) -> None:
        self._size += len(piece)
        if not (self._file is None and self._hold(piece)):
            await self._threads.run(self._write, piece)
            self._let_go()

    def stream(self) -> ByteStream:
        """Return what came."""
        return ByteStream(begin=self._chunks, size_bytes=self._size)

    def close(self) -> None:
        """Forget it; twice is no error."""
        self._let_go()
        if self._file is not None:
            self._file.close()

    def _hold(self, piece: bytes) -> bool:
        if self._size > PART_BYTES or self._threads.held_bytes + len(piece) > _HELD_IN_ALL:
            return False
        self._held.append(piece)
        self._held_bytes += len(piece)
        self._threads.held_bytes += len(piece)
        return True

    def _let_go(self) -> None:
        self._threads.held_bytes -= self._held_bytes
        self._held, self._held_bytes = [], 0

    def _write(self, piece: bytes) -> None:
        if self._file is None:
            # Without a name from the start: however this process ends, nothing is left.
            self._file = tempfile.TemporaryFile(dir=_spool_folder())  # noqa: SIM115  # closed by the caller
            self._file.writelines(self._held)
        self._file.write(piece)

    def _chunks(self) -> Iterator[bytes]:
        return iter(self._held) if self._file is None else _chunks(self._file, self._size)


def _spool_folder() -> str | None:
    # On many systems /tmp is memory, which a large body would fill.
    chosen = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return None if chosen or not os.access("/var/tmp", os.W_OK) else "/var/tmp"  # noqa: S108  # without a name


def _chunks(file: IO[bytes], size: int) -> Iterator[bytes]:
    at = 0
    while at < size:
        # Begun again or twice at once, each reading has a place of its own.
        file.seek(at)
        chunk = file.read(min(CHUNK, size - at))
        at += len(chunk)
        yield chunk
