"""The lock of a workspace: shared by all who have it open, exclusive for who creates or migrates it."""

from __future__ import annotations

import contextlib
import os
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

from amlsdk.errors import Unavailable

__all__ = ["WorkspaceLock"]

_PAUSE_S = 0.01
_SHARE_S = 30.0


class WorkspaceLock:
    """A lock file that this object has open; the system releases the lock when the process ends, however it does.

    Args:
        path: Of the lock file.
        read_only: Open what is there; without a lock file there is nobody to agree with.

    Raises:
        Unavailable: The file can't be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._file: int | None = None
        try:
            # The file may be replaced by nothing else: every process must lock the same one.
            flags = os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT
            self._file = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            if not (read_only and isinstance(error, FileNotFoundError)):
                raise Unavailable(
                    f"{str(path)!r} can't be opened: {error.strerror}; let this user read and write the workspace"
                ) from error
        # An object that is dropped without being closed, as unpickled ones are, leaves no file open.
        self._closed = weakref.finalize(self, _close, self._file)

    def share(self, *, timeout_s: float) -> None:
        """Hold the lock together with others; whoever holds it alone is waited for.

        Raises:
            Unavailable: Somebody has held it alone for all of that time.
        """
        if not self._take("LOCK_SH", timeout_s):
            raise Unavailable("another process is migrating this workspace; wait for it, then try again")

    @contextlib.contextmanager
    def alone(self, *, timeout_s: float, otherwise: str) -> Iterator[None]:
        """Hold the lock alone, then share it again.

        Raises:
            Unavailable: Others have held it for all of that time; the message is `otherwise`.
        """
        if not self._take("LOCK_EX", timeout_s):
            raise Unavailable(otherwise)
        try:
            yield
        finally:
            # Another may be alone for a moment in between: the system gives up one lock before it gives the other.
            self.share(timeout_s=_SHARE_S)

    def release(self) -> None:
        """Give the lock up, also for a child that another thread forked meanwhile, which has the file open too."""
        with contextlib.suppress(ImportError):
            import fcntl

            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; twice is no error. What a parent or a child holds by the same file, it keeps."""
        self._file = None
        self._closed()

    def _take(self, mode: str, timeout_s: float) -> bool:
        try:
            import fcntl
        except ImportError:
            # Windows, where a folder is not shared among processes: see the docs.
            return True
        deadline = time.monotonic() + timeout_s
        while self._file is not None:
            try:
                fcntl.flock(self._file, getattr(fcntl, mode) | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_PAUSE_S)
            else:
                break
        return True


def _close(file: int | None) -> None:
    if file is not None:
        os.close(file)
