"""Which paths a tree may have: none that could lead out of the folder it is written to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from amlsdk.errors import InvalidArgument

__all__ = ["check_path", "check_tree", "folders_of", "is_utf8"]

_DRIVE = re.compile(r"[A-Za-z]:")


def check_path(path: str) -> str:
    """Return the path of a file of a tree.

    Raises:
        InvalidArgument: It is absolute, has a drive, an empty, `.` or `..` component, a NUL, or characters that
            UTF-8 can't carry; on Windows also if it has a backslash or a colon.
    """
    reason = _what_is_wrong(path)
    if reason:
        raise InvalidArgument(f"{path!r:.300} can't be the path of a file in a tree: {reason}")
    return path


def check_tree(paths: Iterable[str]) -> None:
    """Check that paths can be together in a tree.

    Raises:
        InvalidArgument: One is not safe, is there twice, or lies below another that is a file or a link.
    """
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            raise InvalidArgument(f"the tree has {path!r} twice; each path may be there once")
        seen.add(check_path(path))
    for folder in folders_of(seen):
        if folder in seen:
            raise InvalidArgument(f"the tree has {folder!r} as a file or link, and other files below it")


def folders_of(paths: Iterable[str]) -> set[str]:
    """Return every folder that paths lie in."""
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _what_is_wrong(path: str) -> str | None:
    if not path.isascii() and not is_utf8(path):
        return "it has bytes that are not UTF-8; rename the file"
    if path.startswith("/") or _DRIVE.match(path):
        return "it is absolute or names a drive; it must be relative to the folder"
    if "\0" in path:
        return "it has a NUL character"
    framed = f"/{path}/"
    if "//" in framed or "/./" in framed or "/../" in framed:
        return "it has an empty component, '.' or '..'"
    if os.name == "nt" and ("\\" in path or ":" in path):
        return "it has a backslash or colon, which Windows gives another meaning"
    return None


def is_utf8(path: str) -> bool:
    """Say whether UTF-8 can carry a text: names of files may hold bytes that it can't."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
