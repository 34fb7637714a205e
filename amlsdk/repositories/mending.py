"""What is put right in a bare repository when somebody comes to it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from pathlib import Path

from amlsdk.repositories.making import git_environment

__all__ = ["mend_head", "remove_leftovers"]

_TIMEOUT_S = 30.0
# No push takes so long.
_OLD_S = 86_400.0
# What git keeps of a push until it has all of it; by git-receive-pack(1) and the sources of its versions.
_LEFTOVERS = ("tmp_objdir-*", "incoming-*", "pack/tmp_*", "[0-9a-f][0-9a-f]/tmp_obj_*")


def mend_head(folder: Path) -> None:
    """See that what a plain `git clone` checks out is a branch that is there, where there is one."""
    head = (folder / "HEAD").read_text("utf-8", errors="replace").strip()
    branch = head.removeprefix("ref: ")
    if branch == head or (folder / branch).is_file() or _said(folder, "rev-parse", "--verify", "--quiet", branch):
        return
    first = _said(folder, "for-each-ref", "--count=1", "--format=%(refname)", "refs/heads")
    if first:
        _said(folder, "symbolic-ref", "HEAD", first)


def remove_leftovers(folder: Path) -> None:
    """Remove what pushes that were killed long ago left behind."""
    objects = folder / "objects"
    for pattern in _LEFTOVERS:
        for left in objects.glob(pattern):
            with contextlib.suppress(OSError):
                if left.stat().st_mtime < time.time() - _OLD_S:
                    shutil.rmtree(left) if left.is_dir() else left.unlink()


def _said(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", f"safe.directory={folder}", "--git-dir", str(folder), *arguments],  # noqa: S607  # any git
        env=git_environment(),
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return done.stdout.decode(errors="replace").strip()
