"""Files that a script wrote beside its outputs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from amlsdk.errors import InvalidArgument
from amlsdk.filesets.hashing import hash_file
from amlsdk.filesets.paths import is_utf8
from amlsdk.records.filesets import FileEntry, FileSetRecord

__all__ = ["find_strays"]

_CACHES = frozenset({"__pycache__", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache"})


def find_strays(folder: Path, tree: FileSetRecord, *, since_ns: int) -> list[str]:
    """Return the files of a working folder that are neither outputs nor as they were, sorted.

    A file below `outputs` counts where its name is not UTF-8: no list of files can name it.

    Args:
        folder: The working folder.
        tree: What it held before.
        since_ns: When the script began; what changed before needs no look at its content.
    """
    known = {entry.path: entry for entry in tree.entries}
    return sorted(
        path
        for path, found in _files(os.fspath(folder), "")
        if (not is_utf8(path) if path.startswith("outputs/") else _is_new(folder, path, known, found, since_ns))
    )


def _files(folder: str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _CACHES or prefix.startswith("outputs/"):
                    yield from _files(entry.path, f"{prefix}{entry.name}/")
            else:
                yield prefix + entry.name, entry.stat(follow_symlinks=False)


def _is_new(folder: Path, path: str, known: dict[str, FileEntry], found: os.stat_result, since_ns: int) -> bool:
    entry = known.get(path)
    if entry is None:
        return stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)
    # The time of the last change of the inode: that of the content can be set back.
    return found.st_ctime_ns > since_ns and not _is_same(folder / path, entry, found)


def _is_same(location: Path, entry: FileEntry, found: os.stat_result) -> bool:
    if entry.mode == "link" or not stat.S_ISREG(found.st_mode):
        return False
    try:
        return hash_file(location) == (entry.digest, entry.size_bytes)
    except InvalidArgument:
        return False
