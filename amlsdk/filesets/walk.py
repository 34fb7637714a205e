"""What lies in a folder: its regular files and links, those aside that are left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.filesets.hashing import unreadable
from amlsdk.filesets.ignore import Ignore, is_environment
from amlsdk.filesets.links import check_links
from amlsdk.filesets.paths import check_path
from amlsdk.records.workspaces import CATALOGUE, MARK

__all__ = ["FoundFile", "FoundTree", "scan"]


@attrs.frozen(eq=False)
class FoundFile:
    """A regular file as it was when the folder was scanned.

    Args:
        path: In the tree, with `/`.
        location: Where it is.
        size_bytes: As its folder says.
        state: Size, times of change (ns) and inode: as long as they stay, so does the content.
        executable: Its owner may execute it.
    """

    path: str
    location: str
    size_bytes: int
    state: tuple[int, int, int, int]
    executable: bool


@attrs.frozen
class FoundTree:
    """What a folder has.

    Args:
        files: Sorted by path.
        links: Target of each symbolic link by its path; all stay inside the folder.
    """

    files: tuple[FoundFile, ...]
    links: dict[str, str]


def scan(folder: Path, *, exclude: Iterable[Path] = (), everything: bool = False) -> FoundTree:
    """Scan a folder, or a single file; what vanishes meanwhile is left out. Empty folders leave no trace.

    Workspaces inside of the folder are always left out.

    Args:
        folder: A folder; or a file, which makes a tree of that one file.
        exclude: Files and folders to leave out.
        everything: Take also what `Ignore` would leave out.

    Raises:
        NotFound: There is no such folder or file.
        InvalidArgument: It is a workspace; or something in it is no file, has a name that is not UTF-8, can't be read,
            or is a link that leaves the folder; the message names it.
    """
    root = Path(os.path.realpath(folder))
    try:
        found = root.stat()
    except OSError as error:
        raise NotFound(f"there is no folder or file {os.fspath(folder)!r}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        _check_kind(found.st_mode, os.fspath(root))
        return FoundTree((_found_file(check_path(root.name), os.fspath(root), found),), {})
    walk = _Walk(frozenset(os.path.realpath(path) for path in exclude), everything)
    walk.enter(os.fspath(root), "", Ignore())
    if os.fspath(root) in walk.workspaces:
        raise InvalidArgument(f"{os.fspath(folder)!r} is a workspace, which can't be kept while it is in use")
    check_links(walk.links)
    return FoundTree(tuple(sorted(walk.files, key=lambda file: file.path)), walk.links)


@attrs.frozen
class _Walk:
    exclude: frozenset[str]
    everything: bool
    files: list[FoundFile] = attrs.field(factory=list)
    links: dict[str, str] = attrs.field(factory=dict)
    workspaces: list[str] = attrs.field(factory=list)

    def enter(self, top: str, top_prefix: str, rules: Ignore) -> None:
        waiting = [(top, top_prefix, rules)]
        while waiting:
            folder, prefix, rules = waiting.pop()
            entries = _list(folder)
            names = {entry.name for entry in entries}
            if {MARK, CATALOGUE} <= names:
                # Not for the asking either: see `is_catalogue`.
                self.workspaces.append(folder)
                continue
            if prefix and not self.everything and is_environment(names):
                continue
            inner = rules if self.everything else rules.inside(folder, prefix, names)
            for entry in self._kept(entries, prefix, inner):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, f"{prefix}{entry.name}/", inner))
                else:
                    self._take(entry, prefix + entry.name)

    def _kept(self, entries: list[os.DirEntry[str]], prefix: str, rules: Ignore) -> Iterator[os.DirEntry[str]]:
        for entry in entries:
            if self.exclude and entry.path in self.exclude:
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if self.everything or not rules.leaves_out(prefix, entry.name, is_folder=is_folder):
                yield entry

    def _take(self, entry: os.DirEntry[str], path: str) -> None:
        if not path.isascii():
            # Before anything is read: hashing gigabytes first would only delay the answer.
            check_path(path)
        try:
            if entry.is_symlink():
                self.links[path] = os.readlink(entry.path)  # noqa: PTH115  # the text as it is
                return
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unreadable(entry.path, error) from error
        _check_kind(found.st_mode, entry.path)
        self.files.append(_found_file(path, entry.path, found))


def _list(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable(folder, error) from error


def _found_file(path: str, location: str, found: os.stat_result) -> FoundFile:
    state = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    return FoundFile(path, location, found.st_size, state, bool(found.st_mode & stat.S_IXUSR))


def _check_kind(mode: int, location: str) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    kind = kinds.get(stat.S_IFMT(mode), "no regular file")
    raise InvalidArgument(f"{location!r} is {kind}, which can't be kept; remove it or leave it out with .amlignore")
