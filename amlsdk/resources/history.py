"""The hidden history: what was submitted and not committed, as commits that are on no branch.

The user's branch, index and files are never touched: the commit is made by an index of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from amlsdk.errors import AmlError, Conflict
from amlsdk.resources.publishing import HISTORY, ask_git, git_says

__all__ = ["MOST_NEW_BYTES", "keep_history"]

# What nobody has added to git yet is often data, which belongs elsewhere.
MOST_NEW_BYTES = 100 << 20
_ATTEMPTS = 5
# What a reference is that must not be there yet (git-update-ref(1)).
_NOTHING = ""
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
    for _ in range(_ATTEMPTS):
        before = _last(root)
        if before is not None and _is_same(root, before, tree=tree, head=head):
            return before
        parents = [part for commit in (before, head) if commit for part in ("-p", commit)]
        made = ask_git(["commit-tree", tree, *parents, "-m", message], root, environment=_WHO)
        # Another submission may have been quicker: then this one comes after it.
        with contextlib.suppress(AmlError):
            ask_git(["update-ref", "--no-deref", HISTORY, made, before or _NOTHING], root)
            return made
    raise Conflict(f"{HISTORY} changes faster than it can be written; is something else writing it?")


def _tree(root: Path) -> str:
    """Return the tree of all that is not ignored."""
    new = _new_files(root)
    with tempfile.TemporaryDirectory(prefix="amlsdk-index-") as place:
        index = Path(place) / "index"
        # A copy of the user's own knows what has not changed, so that only the rest is read.
        own = root / ask_git(["rev-parse", "--git-path", "index"], root)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(own, index)
        alone = {"GIT_INDEX_FILE": str(index), "GIT_LITERAL_PATHSPECS": "1"}
        ask_git(["add", "--update", "--ignore-errors", "--", "."], root, environment=alone)
        if new:
            named = ["--pathspec-from-file=-", "--pathspec-file-nul"]
            git_says(["add", "--ignore-errors", *named], root, told=b"\0".join(new), environment=alone)
        return ask_git(["write-tree"], root, environment=alone)


def _new_files(root: Path) -> list[bytes]:
    """Return the files that git does not know yet, without those that a snapshot leaves out, too.

    Raises:
        Conflict: They are large.
    """
    new = _listed(root, "--exclude-standard")
    if new:
        left_out = set(_listed(root, "--ignored", "--exclude-per-directory=.amlignore"))
        new = [name for name in new if name not in left_out]
    size = 0
    for name in new:
        with contextlib.suppress(OSError):
            size += (root / os.fsdecode(name)).lstat().st_size
    if size > MOST_NEW_BYTES:
        raise Conflict(
            f"{size >> 20} MB of files that git does not know are not kept in its history; "
            "put data into .gitignore or .amlignore"
        )
    return new


def _listed(root: Path, *wanted: str) -> list[bytes]:
    return [name for name in git_says(["ls-files", "--others", *wanted, "-z"], root).split(b"\0") if name]


def _last(root: Path) -> str | None:
    try:
        return ask_git(["rev-parse", "--verify", "--quiet", HISTORY], root)
    except AmlError:
        return None


def _is_same(root: Path, commit: str, *, tree: str, head: str) -> bool:
    found, *parents = ask_git(["show", "--no-patch", "--format=%T %P", commit], root).split()
    return found == tree and head in parents
