"""The dependencies of an image as a folder of packages that the deployments of a workspace share."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from amlsdk.deployers.installed import copy_installed
from amlsdk.errors import Unavailable
from amlsdk.filesets.blobs import Blobs
from amlsdk.filesets.layers import unpack_layer
from amlsdk.filesets.removing import remove_tree
from amlsdk.records.filesets import FileSetRecord
from amlsdk.records.images import LayerRecord
from amlsdk.records.serving import BUNDLE

__all__ = ["package_folder"]

Stamps = dict[str, list[int]]


def package_folder(
    layer: LayerRecord, part: str, *, trees: Callable[[], Sequence[FileSetRecord]], blobs: Blobs, cache: Path
) -> Path:
    """Return the folder of packages that a layer has, verified where it is made; what is there already is used again.

    It is taken from this interpreter's own packages where those are the same, and else unpacked from the layer. The
    interpreter writes its bytecode there, so it is no folder of `unpack_layer`, which is not to be written to.

    Args:
        layer: Of dependencies, or of amlsdk's own part.
        part: Which folder of the bundle it has.
        trees: Returns the FileSets that the layer was made of; none where they are not known.
        blobs: Where layer and FileSets are.
        cache: Folder of what may be lost at any time.

    Raises:
        OperationFailed: The layer is damaged.
        NotFound: It is not stored.
        Unavailable: The cache can't be written.
    """
    own = cache / "packages"
    try:
        own.mkdir(parents=True, exist_ok=True)
        with _alone(own / f"{layer.digest}.lock"):
            folder, note = own / layer.digest, own / f"{layer.digest}.json"
            if not _is_unchanged(folder, note):
                _make(layer, part, folder, note, trees=trees, blobs=blobs)
    except OSError as error:
        raise Unavailable(f"packages can't be laid out in {os.fspath(own)!r}: {error}") from error
    return folder


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait for others of this workspace that make the same folder."""
    with lock.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(
    layer: LayerRecord,
    part: str,
    folder: Path,
    note: Path,
    *,
    trees: Callable[[], Sequence[FileSetRecord]],
    blobs: Blobs,
) -> None:
    draft = folder.with_name(f".aml-{secrets.token_hex(8)}")
    try:
        if not copy_installed(trees(), draft, blobs=blobs, most_bytes=layer.unpacked_bytes):
            _unpack(layer, part, draft, blobs=blobs, cache=folder.parent)
        stamps = json.dumps(_stamps(draft))
        remove_tree(folder)
        draft.rename(folder)
        note.write_text(stamps, encoding="utf-8")
    finally:
        remove_tree(draft)


def _unpack(layer: LayerRecord, part: str, draft: Path, *, blobs: Blobs, cache: Path) -> None:
    tree = unpack_layer(layer, blobs, cache)
    try:
        packages = tree / BUNDLE / part
        packages.mkdir(parents=True, exist_ok=True)
        packages.rename(draft)
    finally:
        remove_tree(tree)


def _is_unchanged(folder: Path, note: Path) -> bool:
    """Say whether all files are as they were laid out.

    A file may be shared with this interpreter's own packages, which somebody may edit in place; and after a loss of
    power, file systems show lost bytes as empty files.
    """
    try:
        stamps: Stamps = json.loads(note.read_text("utf-8"))
        return all(_stamp(f"{folder}/{path}") == stamp for path, stamp in stamps.items())
    except (OSError, ValueError):
        return False


def _stamps(folder: Path) -> Stamps:
    start = len(os.fspath(folder)) + 1
    return {
        path[start:]: _stamp(path)
        for parent, _, names in os.walk(folder)
        if not parent.endswith("__pycache__")
        for path in (f"{parent}/{name}" for name in names)
    }


def _stamp(path: str) -> list[int]:
    found = os.lstat(path)  # thousands of files at each start of a process
    return [found.st_size, found.st_mtime_ns]
