"""Digests of files of this machine, remembered by the state that each file had."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from amlsdk.errors import OperationFailed
from amlsdk.filesets.hashing import hash_file
from amlsdk.images.remembering import recall, remember

__all__ = ["KnownFiles"]

# A file may change twice within one tick of the file system's clock and look unchanged; see filesets.statcache.
_RACY_NS = 2_000_000_000


class KnownFiles:
    """Hashes files, each once as long as it does not change.

    Args:
        path: Where it is remembered.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        known = recall(path)
        self._known: dict[str, Any] = known if isinstance(known, dict) else {}
        self._new: dict[str, Any] = {}

    def digest(self, location: str) -> tuple[str, int]:
        """Return SHA-256 and size of a file.

        Raises:
            OperationFailed: It is gone.
        """
        before_ns = time.time_ns() - _RACY_NS
        try:
            found = os.stat(location)  # noqa: PTH116  # hundreds of them
        except OSError as error:
            raise _gone(location) from error
        state = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]
        entry = self._known.get(location)
        if isinstance(entry, list) and entry[:-1] == state and isinstance(entry[-1], str):
            return entry[-1], found.st_size
        hashed = hash_file(os.path.realpath(location))
        if hashed is None:
            raise _gone(location)
        if max(found.st_mtime_ns, found.st_ctime_ns) < before_ns:
            self._new[location] = [*state, hashed[0]]
        return hashed

    def save(self) -> None:
        """Remember what was hashed."""
        if self._new:
            remember(self._path, self._known | self._new)


def _gone(location: str) -> OperationFailed:
    return OperationFailed(f"{location!r} of this machine is gone; build the image again")
