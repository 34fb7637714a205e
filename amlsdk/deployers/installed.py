"""Packages of an image taken from this interpreter's own, where those are the same, byte by byte.

Where an image is deployed on the machine on which its manifest was made, its files are here already, with the bytecode
for them. Reading them to compare takes a third of a second for scikit-learn; unpacking and compiling take six.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import struct
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import attrs

from amlsdk.filesets.blobs import Blobs
from amlsdk.filesets.folders import make_folders
from amlsdk.filesets.listing import digest_of
from amlsdk.filesets.parallel import in_parallel
from amlsdk.filesets.paths import check_path, check_tree
from amlsdk.records.filesets import FileEntry, FileSetRecord

__all__ = ["copy_installed"]

# PEP 552: magic number, flags, then time and size of the source, four bytes each.
_HEADER = struct.Struct("<4sIII")
_CHUNK = 1 << 18
# Fetching more than that file by file is slower than unpacking a layer.
_MOST_FETCHED = 0.05


def copy_installed(trees: Sequence[FileSetRecord], folder: Path, *, blobs: Blobs, most_bytes: int) -> bool:
    """Lay out FileSets of packages in a new folder, each file verified by its digest.

    A file that is installed here is linked to, so that it takes no time and no space; a script that writes to it would
    write to the installed one, which a script that runs here can do anyway. Others are fetched from the blobs.

    Args:
        trees: The FileSets.
        folder: To be made.
        blobs: Where they are.
        most_bytes: What the layer made of them has; with more they are not what it was made of.

    Returns:
        Whether it was done; not where there are none, or too much of them is not installed here.
    """
    entries = {entry.path: entry for tree in trees for entry in tree.entries}
    total = sum(entry.size_bytes for entry in entries.values())
    if not entries or total > most_bytes or any(entry.mode == "link" for entry in entries.values()):
        return False
    if any(digest_of(tree.entries) != tree.digest for tree in trees):
        return False
    for path in entries:
        check_path(path)
    check_tree(list(entries))
    make_folders(folder, entries)
    taking = _Taking(folder, tuple(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")))
    found = in_parallel(taking.take, list(entries.values()))
    fetched = [entry for entry, was_taken in zip(entries.values(), found, strict=True) if not was_taken]
    if sum(entry.size_bytes for entry in fetched) > _MOST_FETCHED * total:
        shutil.rmtree(folder)
        return False
    for _ in in_parallel(lambda entry: blobs.copy_to(entry.digest, folder / entry.path), fetched):
        pass
    return True


@attrs.frozen
class _Taking:
    folder: Path
    places: tuple[Path, ...]

    def take(self, entry: FileEntry) -> bool:
        """Link or copy an installed file, with its bytecode, where it is the wanted one."""
        for place in dict.fromkeys(self.places):
            source, target = f"{place}/{entry.path}", f"{self.folder}/{entry.path}"
            if _has(source, entry):
                _link_or_copy(source, target)
                if entry.path.endswith(".py"):
                    _take_bytecode(source, target)
                return True
        return False


def _has(path: str, entry: FileEntry) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if os.fstat(descriptor).st_size != entry.size_bytes:
            return False
        sha = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            sha.update(chunk)
    return sha.hexdigest() == entry.digest


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Another file system, or files of another user. The time of a source is part of its bytecode.
        shutil.copy2(source, target)


def _take_bytecode(source: str, target: str) -> None:
    """Take the bytecode of a module, where it is that of the source as it is now."""
    code = importlib.util.cache_from_source(source)
    try:
        with open(code, "rb") as file:  # noqa: PTH123  # thousands of files
            magic, flags, time, size = _HEADER.unpack(file.read(_HEADER.size))
        found = os.stat(source)  # noqa: PTH116
        if flags or magic != importlib.util.MAGIC_NUMBER:
            return
        if (time, size) == (int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF):
            copy = importlib.util.cache_from_source(target)
            os.makedirs(os.path.dirname(copy), exist_ok=True)  # noqa: PTH103, PTH120
            _link_or_copy(code, copy)
    except (OSError, struct.error):
        # It has none, or one that is being written: it is compiled when it is imported.
        return
