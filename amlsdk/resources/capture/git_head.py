"""Where a repository stands, read from its files: for machines without git, or where git refuses to look."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["find_root", "read_head"]

_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MOST_LINKS = 5


def find_root(folder: Path) -> Path | None:
    """Return the working tree that a folder lies in, or None. No process is started."""
    folder = folder.resolve()
    for candidate in (folder, *folder.parents):
        git = candidate / ".git"
        if git.is_file() or (git / "HEAD").exists():
            return candidate
    return None


def read_head(root: Path) -> tuple[str | None, str | None]:
    """Return commit and branch of a working tree, each None where it has none or it can't be read.

    The formats are those of gitrepository-layout(5); repositories with reftables give no commit.
    """
    try:
        git = _git_folder(root)
        common = _common_folder(git)
        head = _text(git / "HEAD") or ""
        branch = head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else None
        return _follow(head, git, common), branch
    except (OSError, ValueError):
        return None, None


def _git_folder(root: Path) -> Path:
    git = root / ".git"
    return root / (_text(git) or "").removeprefix("gitdir: ") if git.is_file() else git


def _common_folder(git: Path) -> Path:
    shared = _text(git / "commondir")
    return git / shared if shared else git


def _follow(value: str, git: Path, common: Path) -> str | None:
    for _ in range(_MOST_LINKS):
        if _OBJECT_ID.fullmatch(value):
            return value
        if not value.startswith("ref: "):
            return None
        name = value.removeprefix("ref: ")
        value = _text(git / name) or _text(common / name) or _packed(common, name) or ""
    return None


def _packed(common: Path, name: str) -> str | None:
    for line in (_text(common / "packed-refs") or "").splitlines():
        commit, _, ref = line.partition(" ")
        if ref == name:
            return commit
    return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
