"""Output that is masked before it reaches a file: processes write to a named pipe, a thread reads it."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import stat
import threading
from pathlib import Path

from amlsdk.errors import Unavailable
from amlsdk.storage.secrets.masking import Mask, MaskedStream

__all__ = ["MaskedOutput"]

_LOGGER = logging.getLogger("amlsdk")
_PIECE = 1 << 16
# What Linux gives a user without further rights: so much can be printed while nobody reads.
_ROOM = 1 << 20
_LOOK_S = 1.0


class MaskedOutput:
    """Copies what is written to a named pipe to the end of a file, without the values of secrets.

    Nothing unmasked is ever on a disk. Whoever writes waits only where a mebibyte has not been read yet; a disk that
    refuses loses output, and does not stop whoever prints.

    Args:
        pipe: Path of the pipe, made anew; for its owner only.
        log: The file.
        mask: What is looked for.

    Raises:
        Unavailable: The file system has no pipes, or the file can't be written.
    """

    def __init__(self, pipe: Path, log: Path, mask: Mask) -> None:
        self.pipe, self.log = pipe, log
        self._stream = MaskedStream(mask)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        try:
            self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            _make_pipe(pipe)
            self._end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
            # Held open here too: else each end of the last process that writes would look like the end of all.
            self._kept = os.open(pipe, os.O_WRONLY)
        except OSError as error:
            raise Unavailable(f"what is printed can't be masked in {str(pipe.parent)!r}: {error.strerror}") from error
        _enlarge(self._end)
        self._refused = False
        self._thread = threading.Thread(target=self._run, name="amlsdk-masking", daemon=True)
        self._thread.start()

    def settle(self) -> None:
        """Return when all that was written before is in the file, but for what may be the beginning of a secret."""
        with self._lock:
            self._drain()

    def close(self) -> None:
        """Take what is left, and remove the pipe; twice is no error. Nothing may write to it any more."""
        if self._closing.is_set():
            return
        self._closing.set()
        # A pipe without writers is readable, so that the thread looks up; another writer only delays that.
        os.close(self._kept)
        self._thread.join()
        with self._lock:
            self._drain()
            self._write(self._stream.finish())
        for descriptor in (self._end, self._log):
            os.close(descriptor)
        with contextlib.suppress(OSError):
            self.pipe.unlink()

    def _run(self) -> None:
        while not self._closing.is_set():
            ready, _, _ = select.select([self._end], [], [], _LOOK_S)
            if ready:
                with self._lock:
                    self._drain()

    def _drain(self) -> None:
        # More than the pipe holds, so that all from before is taken; others may go on writing.
        for _ in range(2 * _ROOM // _PIECE):
            try:
                piece = os.read(self._end, _PIECE)
            except BlockingIOError:
                return
            if not piece:
                return
            self._write(self._stream.feed(piece))

    def _write(self, shown: bytes) -> None:
        left = memoryview(shown)
        try:
            while left:
                left = left[os.write(self._log, left) :]
        except OSError as error:
            if not self._refused:
                _LOGGER.warning("what is printed is lost from here on: %s: %s", self.log, error.strerror)
            self._refused = True


def _make_pipe(pipe: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        # One that a lost supervisor left; anything else there is none of this one's.
        if stat.S_ISFIFO(pipe.lstat().st_mode):
            pipe.unlink()
    os.mkfifo(pipe, 0o600)


def _enlarge(descriptor: int) -> None:
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _ROOM)
