"""A run's outputs, kept."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TypeAlias

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.filesets.links import check_links
from amlsdk.filesets.paths import is_utf8
from amlsdk.journal.writer import JournalWriter
from amlsdk.records.logged import RunFileRecord
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.folder import FolderBlobStore
from amlsdk.storage.blobs.through_service import ServiceBlobs

__all__ = ["Store", "collect_outputs"]

Store: TypeAlias = FolderBlobStore | ServiceBlobs
_GROUP = 1000
_NAMED = 20


@attrs.define
class _Found:
    """What lies in a folder of outputs, by its path there.

    Args:
        files: Whether each regular file is executable.
        links: Target of each symbolic link.
        skipped: What can't be kept, and has no content that could be lost.
        unreadable: What has some; a line each.
    """

    files: dict[str, bool] = attrs.field(factory=dict)
    links: dict[str, str] = attrs.field(factory=dict)
    skipped: list[str] = attrs.field(factory=list)
    unreadable: list[str] = attrs.field(factory=list)


def collect_outputs(folder: Path, store: Store, journal: JournalWriter) -> list[str]:
    """Store everything below `outputs` and log each file; name in a note what can't be kept.

    Links that stay inside are kept as links.

    Returns:
        What could not be read, a line each; all others are kept.

    Raises:
        AmlError: The store refuses; nothing was removed.
    """
    outputs = folder / "outputs"
    found = _look(outputs)
    _keep_files(outputs, found.files, store, journal)
    _keep_links(_inside(found), store, journal)
    if found.skipped:
        more = f" and {len(found.skipped) - _NAMED} more" if len(found.skipped) > _NAMED else ""
        journal.note(f"not kept of the outputs: {', '.join(found.skipped[:_NAMED])}{more}")
    return found.unreadable


def _keep_files(outputs: Path, files: dict[str, bool], store: Store, journal: JournalWriter) -> None:
    paths = sorted(files)
    for begin in range(0, len(paths), _GROUP):
        stored = store.put_files([outputs / path for path in paths[begin : begin + _GROUP]])
        for path in paths[begin : begin + _GROUP]:
            if outputs / path in stored:
                kept = stored[outputs / path]
                _log(journal, path, kept.digest, kept.size_bytes, "executable" if files[path] else "file")


def _keep_links(links: dict[str, str], store: Store, journal: JournalWriter) -> None:
    for path, target in sorted(links.items()):
        content = target.encode()
        digest = hashlib.sha256(content).hexdigest()
        store.put(digest, ByteStream.of(content))
        _log(journal, path, digest, len(content), "link")


def _log(journal: JournalWriter, path: str, digest: str, size_bytes: int, mode: str) -> None:
    journal.file(RunFileRecord(path=f"outputs/{path}", kind="output", digest=digest, size_bytes=size_bytes, mode=mode))


def _look(outputs: Path) -> _Found:
    found = _Found()
    for place in (outputs.parent, outputs):
        if place.is_symlink():
            # A script may have put a link in place of the folder; where that leads is not the run's.
            found.skipped.append(f"{place.name} -> {place.readlink()} (a link)")
            return found
    waiting = [""] if outputs.is_dir() else []
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(outputs / prefix) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{prefix}{entry.name}/")
                    else:
                        _take(found, prefix + entry.name, entry)
        except OSError as error:
            found.unreadable.append(f"outputs/{prefix} can't be read ({error.strerror})")
    return found


def _take(found: _Found, path: str, entry: os.DirEntry[str]) -> None:
    mode = entry.stat(follow_symlinks=False).st_mode
    if not is_utf8(path):
        found.skipped.append(f"{path!r} (a name that is not UTF-8)")
    elif stat.S_ISLNK(mode):
        found.links[path] = os.readlink(entry.path)  # noqa: PTH115  # the text as it is
    elif not stat.S_ISREG(mode):
        found.skipped.append(f"{path} (no regular file)")
    elif not os.access(entry.path, os.R_OK):
        found.unreadable.append(f"outputs/{path} can't be read (permission denied)")
    else:
        found.files[path] = bool(mode & stat.S_IXUSR)


def _inside(found: _Found) -> dict[str, str]:
    """Return the links that stay in the outputs; the others are skipped."""
    try:
        check_links(found.links)
    except InvalidArgument:
        # One after the other, as one that leads out may take others with it.
        inside: dict[str, str] = {}
        for path, target in found.links.items():
            try:
                check_links({**inside, path: target})
            except InvalidArgument:
                found.skipped.append(f"{path} -> {target} (a link that leaves outputs/)")
            else:
                inside[path] = target
        return inside
    return found.links
