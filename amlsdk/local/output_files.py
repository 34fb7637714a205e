"""Files of what work printed, that grow at their end and are read while they do."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.local.waiting import wait_for
from amlsdk.records.jobs import OutputPosition
from amlsdk.records.streams import ByteStream

__all__ = ["append_to", "check_read", "read_from"]


class _Read(Protocol):
    @property
    def after(self) -> int: ...
    @property
    def limit_bytes(self) -> int: ...
    @property
    def wait_s(self) -> float: ...


def check_read(request: _Read) -> None:
    """See that a request can be meant."""
    if request.after < 0 or request.limit_bytes < 1:
        raise InvalidArgument(
            f"output is read from byte 0 or later and at least one byte, not {request.limit_bytes} from {request.after}"
        )


def read_from(path: Path, request: _Read, *, is_over: Callable[[], bool]) -> ByteStream:
    """Read a file from a byte on, waiting while there is none and more may come.

    Args:
        path: May not exist yet.
        request: Says from where, how much, and how long to wait.
        is_over: Says that no more will come.
    """

    def has_more() -> bool | None:
        # The end is asked for first: what is printed is printed before it.
        over = is_over()
        return True if over or _size(path) > request.after else None

    wait_for(has_more, request.wait_s)
    stop = min(_size(path), request.after + request.limit_bytes)
    return ByteStream.from_file(path, start=request.after, stop=stop) if stop > request.after else ByteStream.of(b"")


def append_to(path: Path, content: ByteStream, *, offset: int, what: str) -> OutputPosition:
    """Append bytes after what is there; those that are there already are skipped, a gap is answered with the end.

    Raises:
        InvalidArgument: The offset is negative.
        Unavailable: The disk takes no more.
    """
    if offset < 0:
        raise InvalidArgument(f"output has no byte {offset}; offsets begin at 0")
    try:
        return OutputPosition(offset=_append(path, content, offset=offset))
    except OSError as error:
        raise Unavailable(
            f"the output of {what} can't be kept: {error.strerror}; look at the disk of the workspace, "
            "then send it again"
        ) from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _append(path: Path, content: ByteStream, *, offset: int) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Unbuffered, so that what was written is known.
    with open(path, "ab", buffering=0) as file, _locked(file.fileno()):  # noqa: PTH123
        end = os.fstat(file.fileno()).st_size
        if offset <= end:
            for chunk in _after(content, end - offset):
                left = memoryview(chunk)
                while left:
                    left = left[file.write(left) :]
        return os.fstat(file.fileno()).st_size


def _after(content: Iterable[bytes], skip: int) -> Iterator[bytes]:
    for chunk in content:
        kept, skip = chunk[skip:], max(0, skip - len(chunk))
        if kept:
            yield kept


@contextlib.contextmanager
def _locked(file: int) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:
        # Windows, where no supervisor runs and one client sends.
        yield
        return
    # Of two that send the same bytes, the second finds them there.
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        # A child that was forked meanwhile has the file open too, and would keep the lock.
        fcntl.flock(file, fcntl.LOCK_UN)
