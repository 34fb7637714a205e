"""Bytes on their way: bodies too large to be held in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs

__all__ = ["CHUNK", "ByteStream"]

CHUNK = 1 << 20


@attrs.frozen(kw_only=True, eq=False)
class ByteStream:
    """Chunks of bytes that can be begun again, so that a request can be retried.

    Args:
        begin: Makes a new iterator over the chunks, from the first byte.
        size_bytes: How many bytes there are, where that is known.
    """

    begin: Callable[[], Iterable[bytes]]
    size_bytes: int | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the chunks from the first byte."""
        return iter(self.begin())

    def read(self) -> bytes:
        """Return all bytes at once; for bodies known to be small."""
        return b"".join(self)

    @classmethod
    def of(cls, content: bytes) -> ByteStream:
        """Stream bytes that are in memory already."""
        return cls(begin=lambda: (content,) if content else (), size_bytes=len(content))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, start: int = 0, stop: int | None = None) -> ByteStream:
        """Stream a file, or its bytes from `start` to before `stop`."""
        end = Path(path).stat().st_size if stop is None else stop
        return cls(begin=lambda: _read_file(path, start, end), size_bytes=max(0, end - start))


def _read_file(path: str | os.PathLike[str], start: int, stop: int) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # unbuffered: whole chunks are read anyway
        file.seek(start)
        left = stop - start
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
