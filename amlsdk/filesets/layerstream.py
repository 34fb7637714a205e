"""The tar archive in the blob of a layer, read once from its start to its end."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import IO, cast

from amlsdk.errors import OperationFailed
from amlsdk.filesets.blobs import Blobs
from amlsdk.records.streams import CHUNK

__all__ = ["LayerStream"]


class LayerStream:
    """Reads a layer, compressed by gzip or not, as a file that can't be read back; a thread reads ahead.

    tarfile's own streams copy their whole buffer for each header, which took most of the time for small files.

    Args:
        blobs: Where the blob is.
        digest: Of the blob.
    """

    def __init__(self, blobs: Blobs, digest: str) -> None:
        self._digest = digest
        self._sha = hashlib.sha256()
        self._chunks = _inflated(iter(blobs.open(digest)), digest)
        self._pool = ThreadPoolExecutor(1, "amlsdk-layer")
        self._chunk = b""
        self._start = 0
        self._position = 0
        self._following: Future[bytes] = self._pool.submit(self._next)

    def __enter__(self) -> LayerStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def members(self) -> Iterator[tarfile.TarInfo]:
        """Iterate over the members of the archive; the content of each has to be read before the next is asked for.

        Raises:
            tarfile.TarError: It is no archive.
            EOFError: It ends early.
            OperationFailed: The blob is damaged.
        """
        with tarfile.open(fileobj=cast("IO[bytes]", self), mode="r:") as tar:
            for member in tar:
                yield member
                # It keeps them all otherwise.
                tar.members.clear()  # type: ignore[attr-defined]

    def content(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        """Read the content of the member that is at hand."""
        self.seek(member.offset_data)
        left = member.size
        while left:
            chunk = self._some(left)
            if not chunk:
                raise EOFError(f"it ends within {member.name!r}")
            left -= len(chunk)
            yield chunk

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, or what is left."""
        parts = []
        while size and (part := self._some(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, position: int, whence: int = 0) -> int:
        """Go on to a later position."""
        ahead = position - self._position
        if whence or ahead < 0:
            raise tarfile.ReadError(f"an archive that asks for its byte {position} again can't be read")
        while ahead and (part := self._some(ahead)):
            ahead -= len(part)
        return self._position

    def finish(self) -> str:
        """Read to the end, so that the blob is verified; return SHA-256 of the archive."""
        while self._some(CHUNK):
            pass
        return self._sha.hexdigest()

    def _some(self, most: int) -> bytes:
        if self._start == len(self._chunk):
            self._chunk, self._start = self._following.result(), 0
            if self._chunk:
                self._following = self._pool.submit(self._next)
        part = self._chunk[self._start : self._start + most] if most >= 0 else self._chunk[self._start :]
        self._start += len(part)
        self._position += len(part)
        return part

    def _next(self) -> bytes:
        chunk = next(self._chunks, b"")
        self._sha.update(chunk)
        return chunk


def _inflated(chunks: Iterator[bytes], digest: str) -> Iterator[bytes]:
    first = next(chunks, b"")
    if first[:2] != b"\x1f\x8b":
        yield first
        yield from chunks
        return
    inflater = zlib.decompressobj(wbits=31)
    pending = first
    try:
        while pending:
            # In parts: a few bytes may stand for a gigabyte.
            if data := inflater.decompress(pending, CHUNK):
                yield data
            pending = inflater.unconsumed_tail
            if inflater.eof:
                pending, inflater = inflater.unused_data, zlib.decompressobj(wbits=31)
            pending = pending or next(chunks, b"")
    except zlib.error as error:
        raise OperationFailed(f"layer {digest} is damaged: {error}; build the image again") from error
    # What the decompressor holds back comes with an end mark; without one the archive ends early, which tar finds.
