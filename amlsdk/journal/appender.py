"""A file of whole lines that one process writes, and that never makes its writer wait for a good day of the disk."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
import time
from pathlib import Path

from amlsdk.errors import Conflict, Unavailable
from amlsdk.journal import locks
from amlsdk.journal.backlog import Backlog
from amlsdk.journal.syncer import SYNCER
from amlsdk.journal.text import quoted, sealed

__all__ = ["RETRY_S", "Appender"]

RETRY_S = 1.0
_LOG = logging.getLogger("amlsdk")
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NAMES_TRIED = 16


class Appender:
    """The file of a journal, made at the first line under a new writer id.

    Lines go to the disk before `append` returns; where the disk refuses, they wait in memory, are tried again at
    most once a second, and `append` does not raise.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self.folder = folder
        self.run_id = run_id
        self._fd = -1
        self._ended = False
        self._start()

    def _start(self) -> None:
        # The lock orders the lines of threads: one that follows a short write must know of it. It is reentrant
        # because a signal handler or a finalizer may log while its own thread is inside.
        self._lock = threading.RLock()
        # Held while syncing, so that the descriptor is not closed, and used for another file, meanwhile.
        self._sync_lock = threading.RLock()
        self._backlog = Backlog()
        self._plain = False  # open, no end line, nothing waits and the tail is whole: a line may simply be written
        self._torn = False
        self._dirty = False
        self._draining = False
        self._tended = False
        self._folder_synced = False
        self._warned = False
        self._retry_at = 0.0
        self._error: OSError | None = None
        self._sync_error: OSError | None = None
        self._name()

    def _name(self) -> None:
        self.writer = os.urandom(8).hex()
        self.path = self.folder / f"{self.run_id}.{self.writer}.jsonl"

    @property
    def closed(self) -> bool:
        """Whether everything was written, or dropped, and the lock given back."""
        return self._ended and self._fd < 0 and not self._backlog

    def append(self, lines: bytes, *, vital: bool = False) -> None:
        """Write whole lines.

        Args:
            lines: Each with its newline.
            vital: Keep them in memory also where other lines are dropped.

        Raises:
            Conflict: The journal was ended.
        """
        with self._lock:
            if self._plain:
                try:
                    written = os.write(self._fd, lines)
                except OSError:
                    written = 0  # the second try below meets the error again, and deals with it
                if written == len(lines):
                    self._dirty = True
                    return
                lines = lines[self._whole(lines, written) :]
            if self._ended:
                raise Conflict(f"the journal of run {self.run_id} is closed; resume the run to log more to it")
            self._backlog.add(lines, vital=vital)
            refused = self._drain()
        self._tend_from_now()
        self._warn(refused)

    def end(self, line: bytes) -> None:
        """Write the last line, wait for the disk and give the lock back. Does nothing where that was done before.

        Raises:
            Unavailable: The disk refused lines. They are still kept: this may be called again.
        """
        with self._lock:
            if not self._ended and (self._fd >= 0 or self._backlog):
                self._backlog.add(line, vital=True)
            self._ended, self._plain = True, False
            self._drain(now=True)
        self._sync()
        with self._sync_lock, self._lock:
            if not self._backlog:
                self._release()
        if self.closed:
            SYNCER.remove(self)
        self._raise_missing()

    def flush(self) -> None:
        """Write what waits, and wait until the disk has it all.

        Raises:
            Unavailable: It refused some of it.
        """
        with self._lock:
            self._drain(now=True)
        self._sync()
        self._raise_missing()

    def tend(self) -> None:
        """Write what waits and sync; called once a second."""
        with self._lock:
            refused = self._drain()
        self._warn(refused)
        self._sync()

    def after_fork(self) -> None:
        """Become a journal of the child's own: a lock lives as long as any copy of its descriptor."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        self._start()

    def __del__(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)

    def _whole(self, data: bytes, written: int) -> int:
        """Note how a write ended, and return how many bytes of whole lines it wrote."""
        self._plain = False
        if not written:
            return 0
        self._dirty = True
        if data[written : written + 1] == b"\n":
            # Only a newline is missing: written again, the line would be there twice.
            self._torn = False
            return written
        whole = data.rfind(b"\n", 0, written) + 1
        self._torn = whole != written
        return whole

    def _drain(self, *, now: bool = False) -> OSError | None:
        if self._draining or not (now or time.monotonic() >= self._retry_at):
            return None
        self._draining = True
        try:
            while self._backlog:
                self._open()
                self._write_some()
        except OSError as error:
            self._error = error
            self._retry_at = time.monotonic() + RETRY_S
            return error
        finally:
            self._draining = False
        self._plain = self._fd >= 0 and not self._torn and not self._ended
        return None

    def _write_some(self) -> None:
        torn = self._torn
        data = b"\n" * torn + self._backlog.head()
        whole = self._whole(data, os.write(self._fd, data)) - torn
        if whole > 0:
            self._backlog.remove(whole)
        elif torn or not self._torn:
            raise OSError(errno.EIO, "the disk takes only parts of lines")

    def _open(self) -> None:
        if self._fd >= 0:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for _ in range(_NAMES_TRIED):
            if self._create():
                self._backlog.put_first(self._begin_line())
                return
            # A reader's look at the new file came before the lock; a journal has its lock from its first byte on.
            self._name()
        raise OSError(errno.EAGAIN, "others keep locking new journals")

    def _create(self) -> bool:
        fd = os.open(self.path, _FLAGS, 0o666)
        locked = False
        try:
            locked = locks.take(fd)
        finally:
            if not locked:
                os.close(fd)
                self.path.unlink(missing_ok=True)
        self._fd = fd
        return locked

    def _begin_line(self) -> bytes:
        host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
        body = (
            f'"k":"begin","r":{quoted(self.run_id)},"w":"{self.writer}","p":{os.getpid()},"h":{quoted(host)}'
            f',"t":{time.time_ns() // 1000}'
        )
        return sealed(body, what="the first line of a journal")

    def _sync(self) -> None:
        with self._sync_lock:
            if self._fd < 0 or not self._dirty:
                return
            self._dirty = False
            try:
                locks.sync(self._fd)
                self._sync_folder()
            except OSError as error:
                self._dirty = True
                self._sync_error = error

    def _sync_folder(self) -> None:
        # A file's name is in its folder: without this the whole journal may be gone after a power cut.
        if self._folder_synced or not hasattr(os, "O_DIRECTORY"):
            return
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        self._folder_synced = True

    def _release(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            try:
                locks.unlock(fd)
            finally:
                os.close(fd)

    def _tend_from_now(self) -> None:
        if not self._tended:
            self._tended = True
            SYNCER.add(self)

    def _warn(self, refused: OSError | None) -> None:
        # Never under the lock: a handler of this logger may be waiting for it with a lock of its own.
        if refused is None or self._warned:
            return
        self._warned = True
        _LOG.warning(
            "%s can't be written (%s): what run %s logs is kept in memory and tried again",
            self.path,
            refused,
            self.run_id,
        )

    def _raise_missing(self) -> None:
        with self._lock:
            missing = self._backlog.describe()
            error, sync_error, self._sync_error = self._error, self._sync_error, None
        if missing:
            raise Unavailable(
                f"of run {self.run_id} these lines could not be written to {self.path}: {missing}; the disk said: "
                f"{error}. Make room or make the folder writable, then flush again"
            ) from error
        if sync_error:
            raise Unavailable(
                f"{self.path} of run {self.run_id} was written but the disk would not keep it safe from a power cut: "
                f"{sync_error}. Look at the disk, then flush again"
            ) from sync_error
