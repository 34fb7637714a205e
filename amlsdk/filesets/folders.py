"""Folders of a tree, made below a folder without ever passing through a link that lies there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from amlsdk.errors import Conflict, InvalidArgument, Unavailable
from amlsdk.filesets.paths import folders_of

__all__ = ["check_folders", "kind_at", "make_folders"]


def kind_at(location: str | Path) -> int | None:
    """Return the kind of what is at a place (`stat.S_IFMT`), links not followed; None if nothing is."""
    try:
        return stat.S_IFMT(os.lstat(location).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None


def check_folders(root: Path, paths: Iterable[str]) -> None:
    """Check that the folders that paths lie in are folders below `root`, where they are there already.

    Raises:
        InvalidArgument: One is a link: what is written below it could land anywhere.
        Conflict: One is a file.
    """
    for folder in sorted(folders_of(paths)):
        _check(root / folder, kind_at(root / folder))


def make_folders(root: Path, paths: Iterable[str]) -> None:
    """Make the folders that paths lie in, and `root`.

    Raises:
        InvalidArgument: One is a link.
        Conflict: One is a file.
        Unavailable: One can't be made.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        for folder in sorted(folders_of(paths)):
            location = root / folder
            try:
                location.mkdir()
            except FileExistsError:
                _check(location, kind_at(location))
    except OSError as error:
        raise Unavailable(f"the folder {os.fspath(root)!r} can't be written: {error.strerror}") from error


def _check(location: Path, kind: int | None) -> None:
    if kind == stat.S_IFLNK:
        raise InvalidArgument(
            f"{os.fspath(location)!r} is a link where the tree has a folder; files would be written to where it "
            "leads: remove it or choose another folder"
        )
    if kind not in {None, stat.S_IFDIR}:
        raise Conflict(f"{os.fspath(location)!r} is a file where the tree has a folder; remove it first")
