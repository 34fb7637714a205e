"""Files made to survive the loss of power, many at a time."""

from __future__ import annotations

import functools
import os
import platform
import sys
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

__all__ = ["sync_all"]

_FEW = 16
# Before 5.8, syncfs did not tell of bytes that could not be written (man 2 syncfs, "BUGS").
_SYNCFS_TELLS = (5, 8)


def sync_all(paths: Collection[str]) -> None:
    """Sync files or folders of one file system.

    Many are synced by one call for their file system, where Linux has it: several times faster than one by one,
    at the price of waiting for what other programs have written there as well.

    Raises:
        OSError: Something could not be written.
    """
    together = _syncfs() if len(paths) > _FEW else None
    if together:
        _with_descriptor(next(iter(paths)), together)
    elif len(paths) > 1:
        # The file system commits those that wait at the same time together.
        with ThreadPoolExecutor(_FEW, "amlsdk-sync") as pool:
            list(pool.map(lambda path: _with_descriptor(path, os.fsync), paths))
    else:
        for path in paths:
            _with_descriptor(path, os.fsync)


def _with_descriptor(path: str, sync: Callable[[int], object]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


@functools.cache
def _syncfs() -> Callable[[int], object] | None:
    if sys.platform != "linux" or _kernel() < _SYNCFS_TELLS:
        return None
    import ctypes

    found = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if found is None:
        return None

    def syncfs(descriptor: int) -> None:
        if found(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return syncfs


def _kernel() -> tuple[int, int]:
    major, _, rest = platform.release().partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)
