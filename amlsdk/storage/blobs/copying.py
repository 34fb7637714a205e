"""Bytes from file to file: cloned where the file system can, else copied, hashed as they are written.

Copies are never hard links: the owner of a file, and root whatever its mode, could write through the copy
into the store.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from amlsdk.errors import InvalidArgument, NotFound, Unavailable
from amlsdk.records.streams import CHUNK
from amlsdk.records.workspaces import is_catalogue

__all__ = [
    "copy_hashed",
    "digest_of_file",
    "disk_errors",
    "open_regular",
    "read_small",
    "write_all",
    "write_beside",
]

# linux/fs.h: _IOW(0x94, 9, int)
_FICLONE = 0x40049409
_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


@contextlib.contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn what a disk refuses into `Unavailable`, with the reason and what to do."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"{doing}: {error.strerror or error}; make the place writable and give it space, then try again"
        ) from error


@contextlib.contextmanager
def open_regular(path: str | Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading.

    Raises:
        NotFound: There is none.
        InvalidArgument: It can't be read, or is no regular file.
    """
    if is_catalogue(os.fspath(path)):
        raise InvalidArgument(f"{os.fspath(path)!r} belongs to a workspace, which can't be kept while it is in use")
    try:
        # A pipe that took the file's place must not make the open wait, nor a link lead elsewhere.
        file = open(path, "rb", buffering=0, opener=_open_at_once)  # noqa: SIM115  # closed below
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"there is no file {os.fspath(path)!r}") from error
    except OSError as error:
        raise InvalidArgument(f"the file {os.fspath(path)!r} can't be read: {error.strerror}") from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InvalidArgument(f"{os.fspath(path)!r} is no regular file; only those can be stored")
        yield file


@contextlib.contextmanager
def write_beside(path: str | Path) -> Iterator[BinaryIO]:
    """Write a file under a temporary name in the same folder; give it its name only if all went well."""
    path = Path(path)
    draft = path.with_name(f".aml-{secrets.token_hex(8)}")
    with disk_errors(f"the file {os.fspath(path)!r} can't be written"):
        try:
            with draft.open("xb+", buffering=0) as file:
                yield file
            draft.replace(path)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)


def copy_hashed(source: BinaryIO, target: BinaryIO) -> tuple[str, int]:
    """Copy an open file to an empty one; return SHA-256 and size of what was written.

    Raises:
        InvalidArgument: The source can't be read.
        OSError: The target can't be written.
    """
    if _clone(source.fileno(), target.fileno()):
        # The clone is hashed, not the source: nobody else can change it.
        return _pass_on(target, None)
    return _pass_on(source, target)


def read_small(source: BinaryIO) -> bytes | None:
    """Return the content of an open file of at most a chunk; None where it has more, which is then unread.

    Raises:
        InvalidArgument: It can't be read.
    """
    if os.fstat(source.fileno()).st_size > CHUNK:
        return None
    content = _read(source)
    while more := _read(source):
        content += more
        if len(content) > CHUNK:
            source.seek(0)
            return None
    return content


def digest_of_file(path: str | Path) -> tuple[str, int]:
    """Return SHA-256 and size of a file.

    Raises:
        NotFound: There is none.
        InvalidArgument: It can't be read, or is no regular file.
    """
    with open_regular(path) as file:
        return _pass_on(file, None)


def write_all(target: BinaryIO, chunk: bytes) -> None:
    """Write a whole chunk."""
    # An unbuffered file may take only a part, as a disk does that is nearly full.
    left = memoryview(chunk)
    while left:
        left = left[target.write(left) :]


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | _NO_WAIT)


def _clone(source: int, target: int) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        # Another file system, or one that can't: each says so with a code of its own.
        return False
    return True


def _pass_on(source: BinaryIO, target: BinaryIO | None) -> tuple[str, int]:
    sha, size = hashlib.sha256(), 0
    while chunk := _read(source):
        sha.update(chunk)
        size += len(chunk)
        if target is not None:
            write_all(target, chunk)
    return sha.hexdigest(), size


def _read(source: BinaryIO) -> bytes:
    try:
        return source.read(CHUNK)
    except OSError as error:
        raise InvalidArgument(f"the file {source.name!r} can't be read: {error.strerror}") from error
