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


def find_strays(folder: Path, tree: FileSetRecord, *, since_ns: int, begun_ns: int = 0) -> list[str]:
    """Return the files of a working folder that are neither outputs nor as they were, sorted.

    A file below `outputs` counts where its name is not UTF-8: no list of files can name it. A folder that can't be
    looked into counts as a whole, its path ends in `/`.

    Args:
        folder: The working folder.
        tree: What it held before.
        since_ns: When the script began; what was last changed between `begun_ns` and then needs no look at its content.
        begun_ns: When the folder began to be written.
    """
    known = {entry.path: entry for entry in tree.entries}
    return sorted(
        path
        for path, found in _files(folder)
        if (
            not is_utf8(path)
            if path.startswith("outputs/")
            else _is_new(folder, path, known, found, begun_ns, since_ns)
        )
    )


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result | None]]:
    # A script may have put a link in place of its folder; where that leads is not the run's.
    waiting = [] if folder.is_symlink() else [""]
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(os.path.join(folder, prefix)) as entries:  # noqa: PTH118  # texts are all that is needed
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        yield prefix + entry.name, entry.stat(follow_symlinks=False)
                    elif entry.name not in _CACHES or prefix.startswith("outputs/"):
                        waiting.append(f"{prefix}{entry.name}/")
        except FileNotFoundError:
            continue
        except OSError:
            yield prefix, None


def _is_new(
    folder: Path,
    path: str,
    known: dict[str, FileEntry],
    found: os.stat_result | None,
    begun_ns: int,
    since_ns: int,
) -> bool:
    if found is None:
        return True
    entry = known.get(path)
    if entry is None:
        return stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)
    # The time of the last change of the inode: that of the content can be set back. One before the folder was written
    # is that of a clock that was set back since.
    return not begun_ns <= found.st_ctime_ns <= since_ns and not _is_same(folder / path, entry, found)


def _is_same(location: Path, entry: FileEntry, found: os.stat_result) -> bool:
    if entry.mode == "link" or not stat.S_ISREG(found.st_mode):
        return False
    try:
        return hash_file(location) == (entry.digest, entry.size_bytes)
    except InvalidArgument:
        return False
