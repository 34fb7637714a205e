"""Journals of this folder into the catalogue: whoever reads a run first takes in what it wrote.

A journal is removed when all of it is applied and on the disk, and nobody will write it again. Its position stays,
so that a copy that turns up later is known for what it is.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from amlsdk.errors import NotFound
from amlsdk.journal.abandoned import is_abandoned
from amlsdk.journal.folder import JournalFile, is_locked, outstanding, read_from, remove
from amlsdk.journal.text import MAX_LINE
from amlsdk.local.appending import append
from amlsdk.local.durable import wait_for_disk
from amlsdk.local.finding import known_run
from amlsdk.local.handling import Local
from amlsdk.local.positions import is_copy, position_of

__all__ = ["ingest_all", "ingest_run"]

_CHUNK = 8 << 20
_LOG = logging.getLogger("amlsdk")


def ingest_run(local: Local, run_id: str) -> None:
    """Take in all that a run has written until now.

    Raises:
        Unavailable: The catalogue can't be written.
    """
    _ingest(local, outstanding(local.journals, run_id))


def ingest_all(local: Local) -> None:
    """Take in all that any run of the workspace has written until now.

    Raises:
        Unavailable: The catalogue can't be written.
    """
    _ingest(local, outstanding(local.journals))


def _ingest(local: Local, files: list[JournalFile]) -> None:
    # A workspace that can't be written is read as it is.
    if not files or local.database.read_only:
        return
    with _alone(local.folder / "ingest.lock"):
        done = [file for file in files if _take_in(local, file)]
        if done:
            wait_for_disk(local)
        for file in done:
            remove(file.path)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    # Two that read the same bytes at once would both be right, and one of them in vain: positions decide, not this.
    try:
        import fcntl
    except ImportError:
        yield
        return
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        # Closing is not enough: a child that another thread forked meanwhile has the file open too, and the lock.
        fcntl.flock(file, fcntl.LOCK_UN)
        os.close(file)


def _take_in(local: Local, file: JournalFile) -> bool:
    """Apply what a journal has; say whether it may be removed now."""
    try:
        return _apply_file(local, file)
    except FileNotFoundError:
        # Another process was faster: it applied and removed the file.
        return False
    except NotFound:
        _set_aside(file, "orphan", "its run was deleted")
        return False
    except OSError as error:
        _LOG.warning("the journal %s can't be read, so that its run may lack points: %s", file.path, error)
        return False


def _apply_file(local: Local, file: JournalFile) -> bool:
    # Asked before the last look at the size: what is not locked now will not grow after that.
    live = is_locked(file.path)
    with local.database.read() as connection:
        run = known_run(connection, file.run_id)
        start = position_of(connection, run.pk, file.writer) if run else None
    if start is None:
        if not live:
            _set_aside(file, "orphan", "no run has its id")
        return False
    size = file.path.stat().st_size
    offset = _apply_lines(local, file, offset=start.offset) if size > start.offset else start.offset
    if live or size < offset:
        # A file shorter than what was applied is a copy on its way.
        return False
    if size == start.offset > 0 and not is_copy(file.path, start):
        _set_aside(file, "conflict", "it is not the journal that was taken in under this name")
        return False
    if not (_has_ended(local, file) or is_abandoned(file.path)):
        return False
    if size > offset:
        # Nobody will bring this line to its end: it is named as a bad one.
        append(local, file.run_id, writer=file.writer, offset=offset, data=read_from(file.path, offset, _CHUNK))
    return True


def _apply_lines(local: Local, file: JournalFile, *, offset: int) -> int:
    while data := _whole_lines(read_from(file.path, offset, _CHUNK)):
        offset = append(local, file.run_id, writer=file.writer, offset=offset, data=data).offset
    return offset


def _whole_lines(data: bytes) -> bytes:
    # What is longer than a line may be is not waited for.
    return data[: data.rfind(b"\n") + 1] or (data if len(data) >= MAX_LINE else b"")


def _has_ended(local: Local, file: JournalFile) -> bool:
    with local.database.read() as connection:
        run = known_run(connection, file.run_id)
        return run is not None and position_of(connection, run.pk, file.writer).ended


def _set_aside(file: JournalFile, suffix: str, reason: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        aside = file.path.with_name(f"{file.path.name}.{suffix}")
        file.path.replace(aside)
        _LOG.warning("the journal %s was set aside: %s", aside, reason)
