"""SHA-256 of files, several at a time."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from amlsdk.errors import InvalidArgument
from amlsdk.records.streams import CHUNK
from amlsdk.records.workspaces import is_catalogue

__all__ = ["hash_file", "unreadable"]

_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


def hash_file(path: str | Path) -> tuple[str, int] | None:
    """Return SHA-256 and size of a regular file; None if it is gone.

    Raises:
        InvalidArgument: It can't be read, or is no regular file; the message names it.
    """
    if is_catalogue(os.fspath(path)):
        raise InvalidArgument(f"{os.fspath(path)!r} belongs to a workspace, which can't be kept while it is in use")
    try:
        # A pipe that took the file's place must not make the open wait.
        file = open(path, "rb", buffering=0, opener=_open_at_once)  # noqa: SIM115  # closed below
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(path, error) from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InvalidArgument(f"{os.fspath(path)!r} is no regular file; leave it out with .amlignore")
        sha, size = hashlib.sha256(), 0
        try:
            while chunk := file.read(CHUNK):
                sha.update(chunk)
                size += len(chunk)
        except OSError as error:
            raise unreadable(path, error) from error
    return sha.hexdigest(), size


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | _NO_WAIT)


def unreadable(path: str | Path, error: OSError) -> InvalidArgument:
    """Say that a file or folder can't be read, and what to do."""
    return InvalidArgument(
        f"{os.fspath(path)!r} can't be read: {error.strerror}; give the right to read it, "
        "or leave it out with .amlignore"
    )
