"""A tar archive that has the same bytes for the same items: POSIX.1-2001 (pax), no owners, one time."""

from __future__ import annotations

import tarfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from amlsdk.errors import OperationFailed
from amlsdk.images.items import Item

__all__ = ["tar_chunks"]

_KINDS = {"file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "folder": tarfile.DIRTYPE}
_END = bytes(2 * tarfile.BLOCKSIZE)
# Small files are read ahead in threads: each costs a request where the blobs are behind a service.
_SMALL = 1 << 18
_AHEAD = 64
_THREADS = 4


def tar_chunks(items: Iterable[Item], *, epoch: int) -> Iterator[bytes]:
    """Yield the archive of items in their order.

    Args:
        items: Folders before what lies in them.
        epoch: Time of every entry, in seconds since 1970.

    Raises:
        OperationFailed: A file has another size than its item says.
    """
    with ThreadPoolExecutor(_THREADS, "amlsdk-layer") as pool:
        for item, content in _read_ahead(items, pool):
            yield _header(item, epoch)
            size = 0
            for chunk in content:
                size += len(chunk)
                yield chunk
            if size != item.size_bytes:
                raise OperationFailed(f"{item.path!r} has {size} bytes and not {item.size_bytes}; build again")
            yield bytes(-size % tarfile.BLOCKSIZE)
    yield _END


def _header(item: Item, epoch: int) -> bytes:
    info = tarfile.TarInfo(item.path)
    info.type, info.mode, info.mtime = _KINDS[item.kind], item.mode, epoch
    info.size, info.linkname = item.size_bytes, item.target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _read_ahead(items: Iterable[Item], pool: ThreadPoolExecutor) -> Iterator[tuple[Item, Iterable[bytes]]]:
    waiting: deque[tuple[Item, Future[list[bytes]] | None]] = deque()
    try:
        for item in items:
            small = item.kind == "file" and 0 < item.size_bytes <= _SMALL
            waiting.append((item, pool.submit(_all_of, item) if small else None))
            if len(waiting) > _AHEAD:
                yield _next(waiting)
        while waiting:
            yield _next(waiting)
    finally:
        for _, future in waiting:
            if future is not None:
                future.cancel()


def _next(waiting: deque[tuple[Item, Future[list[bytes]] | None]]) -> tuple[Item, Iterable[bytes]]:
    item, future = waiting.popleft()
    return item, item.read() if future is None else future.result()


def _all_of(item: Item) -> list[bytes]:
    return list(item.read())
