"""Which shared libraries the dependencies need of the system below them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from amlsdk.filesets.blobs import Blobs
from amlsdk.images.elf import read_elf
from amlsdk.images.remembering import recall, remember
from amlsdk.records.filesets import FileEntry, FileSetRecord

__all__ = ["libraries_needed"]

_LIBRARY = re.compile(r"\.so(\.[0-9.]+)?$")
_HEAD = 1 << 16


def libraries_needed(trees: Iterable[FileSetRecord], blobs: Blobs, cache: Path) -> frozenset[str]:
    """Return the names of libraries that modules of trees need and that none of the trees has.

    Args:
        trees: Folders of packages.
        blobs: Where their content is.
        cache: Where it is noted what a tree needs, as that never changes.
    """
    needed: set[str] = set()
    had: set[str] = set()
    for tree in trees:
        libraries = [entry for entry in tree.entries if entry.mode != "link" and _LIBRARY.search(entry.path)]
        # Where a wheel brings its own libraries, the module that needs them says where they are.
        had |= {entry.path.rpartition("/")[2] for entry in tree.entries if _LIBRARY.search(entry.path)}
        if libraries:
            needed |= _of_tree(tree.digest, libraries, blobs, cache)
    return frozenset(needed - had)


def _of_tree(digest: str, libraries: list[FileEntry], blobs: Blobs, cache: Path) -> set[str]:
    path = cache / f"needs-{digest}.json"
    known = recall(path)
    if isinstance(known, list):
        return {name for name in known if isinstance(name, str)}
    found = {name for entry in libraries for name in _of_file(entry, blobs)}
    remember(path, sorted(found))
    return found


def _of_file(entry: FileEntry, blobs: Blobs) -> tuple[str, ...]:
    head = b""

    def read_at(offset: int, size: int) -> bytes:
        nonlocal head
        if offset + size <= len(head):
            return head[offset : offset + size]
        if not 0 <= offset <= entry.size_bytes:
            return b""
        content = b""
        for chunk in blobs.open(entry.digest, start=offset):
            content += chunk
            if len(content) >= size:
                break
        if offset == 0:
            head = content
        return content[:size]

    elf = read_elf(read_at)
    return () if elf is None else elf.needed
