"""The hidden history: what was submitted and not committed, as commits that are on no branch.

The user's branch, index and files are never touched: the commit is made by an index of its own.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from amlsdk.errors import AmlError, Conflict
from amlsdk.resources.publishing import HISTORY, ask_git

__all__ = ["MOST_NEW_BYTES", "keep_history"]

# What nobody has added to git yet is often data, which belongs elsewhere.
MOST_NEW_BYTES = 100 << 20
_WHO = {
    "GIT_AUTHOR_NAME": "amlsdk",
    "GIT_AUTHOR_EMAIL": "amlsdk@localhost",
    "GIT_COMMITTER_NAME": "amlsdk",
    "GIT_COMMITTER_EMAIL": "amlsdk@localhost",
}


def keep_history(folder: Path, *, message: str) -> str:
    """Return a commit that has all that is in a repository now: the one checked out, or a new one of the history.

    Args:
        folder: Any folder of the working tree.
        message: Of a new commit.

    Raises:
        AmlError: Git is not there, or refuses; there is no commit yet; or what is new is too large.
    """
    root = Path(ask_git(["rev-parse", "--show-toplevel"], folder))
    head = ask_git(["rev-parse", "--verify", "HEAD^{commit}"], root)
    tree = _tree(root)
    if tree == ask_git(["rev-parse", f"{head}^{{tree}}"], root):
        return head
    before = _last(root)
    if before is not None and _is_same(root, before, tree=tree, head=head):
        return before
    parents = [part for commit in (before, head) if commit for part in ("-p", commit)]
    made = ask_git(["commit-tree", tree, *parents, "-m", message], root, environment=_WHO)
    # Another submission that was quicker keeps its place; this commit is found by the run that names it.
    with contextlib.suppress(AmlError):
        ask_git(["update-ref", "--no-deref", HISTORY, made, before or ""], root)
    return made


def _tree(root: Path) -> str:
    """Return the tree of all that is not ignored."""
    with tempfile.TemporaryDirectory(prefix="amlsdk-index-") as place:
        index = Path(place) / "index"
        # A copy of the user's own knows what has not changed, so that only the rest is read.
        own = root / ask_git(["rev-parse", "--git-path", "index"], root)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(own, index)
        alone = {"GIT_INDEX_FILE": str(index)}
        _refuse_large(root)
        ask_git(["add", "--all", "--ignore-errors", "--", ":/"], root, environment=alone)
        return ask_git(["write-tree"], root, environment=alone)


def _refuse_large(root: Path) -> None:
    listed = ask_git(["ls-files", "--others", "--exclude-standard", "-z"], root)
    size = 0
    for name in filter(None, listed.split("\0")):
        with contextlib.suppress(OSError):
            size += (root / name).lstat().st_size
    if size > MOST_NEW_BYTES:
        raise Conflict(
            f"{size >> 20} MB of files that git does not know are not kept in its history; put data into .gitignore"
        )


def _last(root: Path) -> str | None:
    try:
        return ask_git(["rev-parse", "--verify", "--quiet", HISTORY], root)
    except AmlError:
        return None


def _is_same(root: Path, commit: str, *, tree: str, head: str) -> bool:
    found, *parents = ask_git(["show", "--no-patch", "--format=%T %P", commit], root).split()
    return found == tree and head in parents
