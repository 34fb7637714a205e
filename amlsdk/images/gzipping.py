"""gzip in several threads, a block each, as pigz does it (RFC 1951 and 1952; zlib's manual on preset dictionaries)."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import BinaryIO

from amlsdk.storage.blobs.copying import write_all

__all__ = ["GzipWriter"]

# Name and time are left out, and the system is "unknown": the same bytes everywhere.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_BLOCK = 1 << 20
_WINDOW = 1 << 15
_THREADS = min(8, os.cpu_count() or 1)


class GzipWriter:
    """Compresses what is written to it into one gzip member.

    The bytes depend on the content, the level and zlib, not on threads or on how the content is cut when written.
    Leaving the context without `finish` gives up.

    Args:
        target: Where the compressed bytes go.
        level: Of zlib, 1 to 9.
    """

    def __init__(self, target: BinaryIO, *, level: int) -> None:
        self._target = target
        self._level = level
        self._pool = ThreadPoolExecutor(_THREADS, "amlsdk-gzip")
        # One thread each, as a hash takes its blocks in order.
        self._hashing = ThreadPoolExecutor(1, "amlsdk-hash")
        self._pending: deque[Future[bytes]] = deque()
        self._hashed: deque[Future[None]] = deque()
        self._buffer = bytearray()
        self._window = b""
        self._crc = 0
        self._size = 0
        self._plain = hashlib.sha256()
        self._packed = hashlib.sha256()
        self.size_bytes = 0
        self._emit(_HEADER)

    def __enter__(self) -> GzipWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._hashing.shutdown(cancel_futures=True)

    def write(self, data: bytes) -> None:
        """Take more of the content; waits where the threads fall behind."""
        self._buffer += data
        while len(self._buffer) >= _BLOCK:
            self._submit(bytes(memoryview(self._buffer)[:_BLOCK]))
            del self._buffer[:_BLOCK]

    def finish(self) -> tuple[str, str]:
        """Write the end; return SHA-256 of the content and of the compressed bytes."""
        if self._buffer:
            self._submit(bytes(self._buffer))
        self._drain(0)
        while self._hashed:
            self._hashed.popleft().result()
        # An empty last block with fixed codes.
        self._emit(b"\x03\x00" + struct.pack("<II", self._crc, self._size & 0xFFFFFFFF))
        return self._plain.hexdigest(), self._packed.hexdigest()

    def _submit(self, block: bytes) -> None:
        self._pending.append(self._pool.submit(_deflate, block, self._window, self._level))
        self._hashed.append(self._hashing.submit(self._hash, block))
        self._size += len(block)
        self._window = block[-_WINDOW:]
        self._drain(2 * _THREADS)

    def _hash(self, block: bytes) -> None:
        self._plain.update(block)
        self._crc = zlib.crc32(block, self._crc)

    def _drain(self, most: int) -> None:
        while len(self._pending) > most:
            self._emit(self._pending.popleft().result())
            self._hashed.popleft().result()

    def _emit(self, data: bytes) -> None:
        self._packed.update(data)
        write_all(self._target, data)
        self.size_bytes += len(data)


def _deflate(block: bytes, window: bytes, level: int) -> bytes:
    deflater = zlib.compressobj(level, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, window)
    # Ended on a byte, so that blocks can be put one behind the other.
    return deflater.compress(block) + deflater.flush(zlib.Z_SYNC_FLUSH)
