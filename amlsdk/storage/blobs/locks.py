"""Locks of open files, held against other processes and other openings in this one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["locked", "try_lock"]


@contextlib.contextmanager
def locked(file: BinaryIO, *, alone: bool) -> Iterator[None]:
    """Hold a lock, waiting for it: with others, or alone."""
    try:
        import fcntl
    except ImportError:
        # Windows, where nobody serves, and whoever uses a folder puts whole files.
        yield
        return
    fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    try:
        yield
    finally:
        # A child that was forked meanwhile has the file open too, and would keep the lock.
        fcntl.flock(file, fcntl.LOCK_UN)


@contextlib.contextmanager
def try_lock(file: BinaryIO) -> Iterator[bool]:
    """Hold a lock alone, and give whether it was free."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
