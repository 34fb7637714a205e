"""A stored tree written out as files."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from amlsdk.errors import Conflict, InvalidArgument, NotFound, Unavailable
from amlsdk.filesets.blobs import Blobs
from amlsdk.filesets.folders import check_folders, kind_at, make_folders
from amlsdk.filesets.hashing import hash_file
from amlsdk.filesets.links import check_links
from amlsdk.filesets.listing import digest_of
from amlsdk.filesets.parallel import in_parallel
from amlsdk.records.filesets import FileEntry, FileSetRecord

__all__ = ["checkout", "make_link"]

_LONGEST_TARGET = 4096  # Linux's PATH_MAX
_NAMED = 5


def checkout(record: FileSetRecord, store: Blobs, folder: str | Path, *, overwrite: bool = False) -> None:
    """Write a tree into a folder; files that are there already with the same content are left as they are.

    Every file is verified by its digest before it gets its name. Nothing is written outside of the folder, and
    nothing at all unless the whole tree is stored and fits. Other files in the folder stay.

    Args:
        record: The tree.
        store: Where its blobs are.
        folder: Made if it is not there.
        overwrite: Replace files and links that differ.

    Raises:
        InvalidArgument: The tree has unsafe paths or links, or not its digest; or a link in the folder would be
            written through.
        NotFound: Blobs of the tree are not stored.
        Conflict: Files that are there differ, and `overwrite` is not given; or one is a folder here, a file there.
        OperationFailed: A stored blob is damaged; the file is not written.
        Unavailable: The folder can't be written.
    """
    if digest_of(record.entries) != record.digest:
        raise InvalidArgument(f"the tree {record.digest} does not have this digest; its entries were changed")
    _check_stored(record, store)
    plan = _Plan(Path(os.path.realpath(folder)), store, _link_targets(record, store))
    check_links(plan.targets)
    needed = plan.needed(record.entries, overwrite=overwrite)
    make_folders(plan.root, (entry.path for entry in needed))
    for _ in in_parallel(plan.write_file, [entry for entry in needed if entry.mode != "link"]):
        pass
    # Last, so that no file of the tree can be written through a link of the tree.
    for entry in needed:
        if entry.mode == "link":
            make_link(plan.root / entry.path, plan.targets[entry.path])


def make_link(location: Path, target: str) -> None:
    """Make a symbolic link, in one step in place of a file or link that is there.

    Raises:
        Unavailable: It can't be made.
    """
    draft = location.with_name(f".aml-{secrets.token_hex(8)}")
    try:
        try:
            draft.symlink_to(target)
            draft.replace(location)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"the link {os.fspath(location)!r} can't be made: {error.strerror}") from error


@attrs.frozen
class _Plan:
    root: Path
    store: Blobs
    targets: dict[str, str]

    def needed(self, entries: Sequence[FileEntry], *, overwrite: bool) -> list[FileEntry]:
        """Return what is to be written, or refuse all of it."""
        check_folders(self.root, (entry.path for entry in entries))
        kinds = {entry.path: kind_at(self.root / entry.path) for entry in entries}
        present = [entry for entry in entries if kinds[entry.path] is not None]
        differing = {
            entry.path for entry, same in zip(present, in_parallel(self._same, present), strict=True) if not same
        }
        folders = [path for path in differing if kinds[path] == stat.S_IFDIR]
        if folders:
            raise Conflict(f"{self._named(folders)} in {str(self.root)!r}: folders where the tree has files")
        if differing and not overwrite:
            raise Conflict(
                f"{self._named(differing)} in {str(self.root)!r} exist with other content; nothing was written: "
                "choose another folder, or ask to overwrite them"
            )
        return [entry for entry in entries if kinds[entry.path] is None or entry.path in differing]

    def write_file(self, entry: FileEntry) -> None:
        location = self.root / entry.path
        self.store.copy_to(entry.digest, location)
        if entry.mode == "executable":
            mode = location.stat().st_mode
            # Whoever may read it may execute it, as far as the umask lets them read.
            location.chmod(stat.S_IMODE(mode) | (mode & 0o444) >> 2)

    def _same(self, entry: FileEntry) -> bool:
        location = self.root / entry.path
        found = location.lstat()
        if entry.mode == "link":
            return stat.S_ISLNK(found.st_mode) and os.fspath(location.readlink()) == self.targets[entry.path]
        if not stat.S_ISREG(found.st_mode) or found.st_size != entry.size_bytes:
            return False
        executable = bool(found.st_mode & stat.S_IXUSR)
        return executable == (entry.mode == "executable") and hash_file(location) == (entry.digest, entry.size_bytes)

    @staticmethod
    def _named(paths: Iterable[str]) -> str:
        ordered = sorted(paths)
        more = f" and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
        return ", ".join(map(repr, ordered[:_NAMED])) + more


def _check_stored(record: FileSetRecord, store: Blobs) -> None:
    missing = set(store.missing(entry.digest for entry in record.entries))
    lost = [entry for entry in record.entries if entry.digest in missing]
    if lost:
        raise NotFound(
            f"{len(lost)} files of the tree {record.digest} are not stored, the first {lost[0].path!r} "
            f"(blob {lost[0].digest}); nothing was written"
        )


def _link_targets(record: FileSetRecord, store: Blobs) -> dict[str, str]:
    targets = {}
    for entry in record.entries:
        if entry.mode != "link":
            continue
        if entry.size_bytes > _LONGEST_TARGET:
            raise InvalidArgument(f"the link {entry.path!r} has a target of {entry.size_bytes} bytes; that is none")
        try:
            targets[entry.path] = store.open(entry.digest).read().decode()
        except UnicodeDecodeError as error:
            raise InvalidArgument(f"the target of the link {entry.path!r} is not UTF-8") from error
    return targets
