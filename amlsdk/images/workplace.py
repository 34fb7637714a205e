"""The folder of a build's temporary files, which goes with the build however that ends."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from amlsdk.errors import Unavailable

__all__ = ["working_folder"]

# Between being made and being locked, a folder looks like one that was left.
_YOUNG_S = 60.0


@contextlib.contextmanager
def working_folder(parent: Path) -> Iterator[Path]:
    """Make a folder, and remove it at the end; also those of builds that were killed.

    Raises:
        Unavailable: It can't be made.
    """
    folder = parent / secrets.token_hex(8)
    try:
        _remove_leftovers(parent)
        folder.mkdir(parents=True)
        lock = _lock(folder)
    except OSError as error:
        raise Unavailable(f"{str(parent)!r} can't be written: {error.strerror}; give it space, try again") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder for as long as this process lives; None where another one has it."""
    import fcntl

    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def _remove_leftovers(parent: Path) -> None:
    # Others may remove the same ones meanwhile.
    with contextlib.suppress(FileNotFoundError):
        for folder in parent.iterdir():
            if time.time() - folder.stat().st_mtime < _YOUNG_S:
                continue
            lock = _lock(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
