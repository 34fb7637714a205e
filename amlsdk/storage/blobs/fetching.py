"""Large blobs on their way to a file: what came of one is kept beside it until the whole is there."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from amlsdk.errors import InvalidArgument, NotFound, OperationFailed
from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.storage.blobs.copying import disk_errors, write_all, write_beside
from amlsdk.storage.blobs.locks import try_lock

__all__ = ["fetch", "unfinished"]


class _Source(Protocol):
    def open(self, digest: str, *, start: int = 0) -> ByteStream: ...


def unfinished(digest: str, path: Path) -> Path:
    """Return the file that keeps what came of a blob that is to become another file."""
    # By the name as well: two files of the same content may be fetched at once.
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()
    return path.with_name(f".aml-{digest[:24]}-{name[:8]}.part")


def fetch(source: _Source, digest: str, path: str | Path, *, whole: ByteStream) -> None:
    """Write a blob to a file, which gets its name only once it is whole and right.

    Args:
        source: Has the blob.
        digest: Of the blob.
        path: Of the file.
        whole: The blob from its first byte, as the source has opened it.

    Raises:
        NotFound: There is no such blob.
        OperationFailed: It is damaged, where it lies or on the way; no file is left.
        Unavailable: The service was lost, or the disk refuses. In the first case what came is kept, and the next
            attempt goes on with it.
    """
    path = Path(path)
    draft = unfinished(digest, path)
    with _entered(draft) as file:
        if file is None:
            _fetch_beside(whole, path)
            return
        try:
            _fetch_rest(source, digest, whole, file, draft)
            with disk_errors(f"the file {os.fspath(path)!r} can't be written"):
                draft.replace(path)
        except (OperationFailed, NotFound):
            draft.unlink(missing_ok=True)
            raise
        except BaseException:
            # Nothing is not worth keeping.
            if not os.fstat(file.fileno()).st_size:
                draft.unlink(missing_ok=True)
            raise


def _fetch_beside(whole: ByteStream, path: Path) -> None:
    with write_beside(path) as target:
        for chunk in whole:
            write_all(target, chunk)


def _fetch_rest(source: _Source, digest: str, whole: ByteStream, file: BinaryIO, draft: Path) -> None:
    sha, size = _digest_so_far(file)
    if size:
        with contextlib.suppress(InvalidArgument, _Wrong):
            _append(source.open(digest, start=size), file, draft, sha=sha)
            if sha.hexdigest() != digest:
                raise _Wrong
            return
    # From its first byte the source itself verifies it.
    file.truncate(0)
    _append(whole, file, draft)


class _Wrong(Exception):  # told to nobody outside of this file
    """What was kept, or what came after it, is not the blob."""


def _append(content: ByteStream, file: BinaryIO, draft: Path, *, sha: hashlib._Hash | None = None) -> None:
    for chunk in content:
        if sha is not None:
            sha.update(chunk)
        with _disk_of(draft):
            write_all(file, chunk)


@contextlib.contextmanager
def _disk_of(draft: Path) -> Iterator[None]:
    try:
        with disk_errors(f"the file {os.fspath(draft)!r} can't be written"):
            yield
    except BaseException:
        # A disk that is full is not to stay so.
        draft.unlink(missing_ok=True)
        raise


def _digest_so_far(file: BinaryIO) -> tuple[hashlib._Hash, int]:
    sha, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        sha.update(chunk)
        size += len(chunk)
    return sha, size


@contextlib.contextmanager
def _entered(draft: Path) -> Iterator[BinaryIO | None]:
    """Open the file that keeps what came, for this call alone; None where that can't be had."""
    if os.name == "nt":
        # It has no such locks.
        yield None
        return
    with disk_errors(f"the file {os.fspath(draft)!r} can't be written"):
        file = draft.open("ab+", buffering=0)
    with file, try_lock(file) as has_lock:
        # Whoever had it before may have given it its name in between.
        if has_lock and draft.exists() and os.path.samestat(os.fstat(file.fileno()), draft.stat()):
            file.seek(0)
            yield file
        else:
            yield None
