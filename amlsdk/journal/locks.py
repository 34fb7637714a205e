"""Who writes a journal: the process that holds the lock of its file."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["alone", "is_locked", "sync", "take", "unlock"]

# What filesystems without locks answer. The journal is written all the same: its end line guards it then.
_NO_LOCKS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS}

if sys.platform == "win32":

    def take(fd: int) -> bool:  # noqa: ARG001  # there is no flock
        """Take the lock of a new file; False where somebody else has it."""
        return True

    def unlock(fd: int) -> None:
        """Give the lock back."""

    def is_locked(path: Path) -> bool:  # noqa: ARG001  # there is no flock
        """Say whether a process writes a journal; never known on this system."""
        return False

    def sync(fd: int) -> None:
        """Wait until the disk has what was written."""
        os.fsync(fd)

else:
    import fcntl

    def take(fd: int) -> bool:
        """Take the lock of a new file; False where somebody else has it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        return True

    def unlock(fd: int) -> None:
        """Give the lock back, also where a child still holds a copy of the descriptor."""
        try:
            fcntl.flock(fd, fcntl.LOCK_UN)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise

    def is_locked(path: Path) -> bool:
        """Say whether a process writes a journal; False where there is none of this name.

        The probe is a shared lock held for an instant: probes don't see each other, and one that meets a journal
        between its creation and its lock makes the writer choose another name.
        """
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        finally:
            os.close(fd)
        return False

    def sync(fd: int) -> None:
        """Wait until the disk has what was written."""
        if sys.platform == "darwin":
            # There, fsync only hands the bytes to the drive's own cache.
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        else:
            os.fsync(fd)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Hold the lock of a file, made where there is none; gives False at once where somebody else has it.

    Raises:
        OSError: The file can't be made.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    taken = False
    try:
        taken = take(fd)
        yield taken
    finally:
        if taken:
            # Closing is not enough: a child that another thread forked meanwhile has the file open too.
            unlock(fd)
        os.close(fd)
