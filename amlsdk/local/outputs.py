"""What a run printed: one file a run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.local.finding import find_run
from amlsdk.local.handling import Local, handles
from amlsdk.local.waiting import wait_for
from amlsdk.operations.runs import AppendOutput, ReadOutput
from amlsdk.records.jobs import OutputPosition
from amlsdk.records.runs import ENDED
from amlsdk.records.streams import ByteStream
from amlsdk.service import Principal

__all__ = ["append_output", "read_output"]


@handles(ReadOutput)
def read_output(local: Local, _: Principal, request: ReadOutput) -> ByteStream:
    """Read output from a byte on, waiting while there is none and the run goes on."""
    if request.after < 0 or request.limit_bytes < 1:
        raise InvalidArgument(
            f"output is read from byte 0 or later and at least one byte, not {request.limit_bytes} from {request.after}"
        )
    path = _checked(local, request.run_id)
    wait_for(lambda: _has_more(local, request, path), request.wait_s)
    stop = min(_size(path), request.after + request.limit_bytes)
    return ByteStream.from_file(path, start=request.after, stop=stop) if stop > request.after else ByteStream.of(b"")


@handles(AppendOutput)
def append_output(local: Local, _: Principal, request: AppendOutput) -> OutputPosition:
    """Append output after what is there."""
    if request.offset < 0:
        raise InvalidArgument(f"output has no byte {request.offset}; offsets begin at 0")
    path = _checked(local, request.run_id)
    try:
        return OutputPosition(offset=_append(path, request.content, offset=request.offset))
    except OSError as error:
        raise Unavailable(
            f"the output of run {request.run_id} can't be kept: {error.strerror}; look at the disk of the workspace, "
            "then send it again"
        ) from error


def _checked(local: Local, run_id: str) -> Path:
    with local.database.read() as connection:
        return local.run_folder(find_run(connection, run_id).id) / "output.log"


def _has_more(local: Local, request: ReadOutput, path: Path) -> bool | None:
    # The end is asked for first: what a run prints, it prints before its end.
    with local.database.read() as connection:
        ended = find_run(connection, request.run_id).status in ENDED
    return True if ended or _size(path) > request.after else None


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
