"""The state of the repository a run's code comes from."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

from amlsdk.resources.capture.git_command import Git, GitError
from amlsdk.resources.capture.git_head import find_root, read_head
from amlsdk.resources.capture.printable import printable
from amlsdk.resources.capture.sensitive import (
    SECRET_FILES,
    SECRET_FOLDERS,
    is_secret_file,
    without_credentials,
)

__all__ = ["MOST_DIFF", "git_state"]

MOST_DIFF = 1 << 20
_MOST_NAMES = 1000
_MOST_PATHS = 200
_STATUS = (
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--untracked-files=normal",
    "--no-renames",
    "--ignore-submodules=untracked",
)
_DIFF = (
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
    "--ignore-submodules=untracked",
)
# Fields before the path, by the first character of a line: see "Porcelain Format Version 2" in git-status(1).
_FIELDS = {"1": 8, "2": 9, "u": 10}


@attrs.define
class _Status:
    commit: str | None = None
    branch: str | None = None
    changed: list[str] = attrs.field(factory=list)
    untracked: list[str] = attrs.field(factory=list)


def git_state(folder: str | os.PathLike[str], *, timeout_s: float = 10.0) -> dict[str, Any] | None:
    """Return the state of the repository that a folder lies in, or None where there is none. Never raises.

    Args:
        folder: Any folder of the working tree.
        timeout_s: For all questions to git together.

    Returns:
        `root`, `commit` (None before the first one), `branch` (None when detached), `remote` (without credentials),
        `dirty` (a tracked file differs from the commit), `diff` (of tracked files against the commit, at most 1 MiB of
        UTF-8), `diff_truncated`, `left_out` (changed files that look like secrets and are not in the diff),
        `untracked` (at most 1 000 names; a folder of untracked files is one name ending in `/`), `untracked_count`,
        and `error`: None, or why git could not be asked. Then commit and branch are read from the repository's
        files, and what only git can tell is None.
    """
    try:
        root = find_root(Path(folder))
    except (OSError, ValueError, RuntimeError):
        return None
    if root is None:
        return None
    state = _unasked(root)
    try:
        state.update(_asked(Git(root, time.monotonic() + timeout_s)))
    except (GitError, OSError, ValueError) as error:
        state["error"] = str(error)
    return state


def _unasked(root: Path) -> dict[str, Any]:
    commit, branch = read_head(root)
    return {
        "root": printable(str(root)),
        "commit": commit,
        "branch": branch,
        "remote": None,
        "dirty": None,
        "diff": None,
        "diff_truncated": False,
        "left_out": [],
        "untracked": [],
        "untracked_count": None,
        "error": None,
    }


def _asked(git: Git) -> dict[str, Any]:
    status = _read_status(git.ask(*_STATUS)[0])
    diff, truncated = _diff(git, status) if status.changed else ("", False)
    return {
        "commit": status.commit,
        "branch": status.branch,
        "remote": _remote(git, status.branch),
        "dirty": bool(status.changed),
        "diff": diff,
        "diff_truncated": truncated,
        "left_out": _listed(path for path in status.changed if is_secret_file(path)),
        "untracked": _listed(status.untracked),
        "untracked_count": len(status.untracked),
    }


def _listed(paths: Iterable[str]) -> list[str]:
    return [printable(path) for path in itertools.islice(paths, _MOST_NAMES)]


def _read_status(output: bytes) -> _Status:
    status = _Status()
    # Output that was cut ends in half a line, which this drops as it drops the empty one after the last NUL.
    lines = iter(os.fsdecode(output).split("\0")[:-1])
    for line in lines:
        mark, _, rest = line.partition(" ")
        if mark == "#":
            _read_header(rest, status)
        elif mark == "?":
            status.untracked.append(rest)
        elif mark in _FIELDS:
            status.changed.append(line.split(" ", _FIELDS[mark])[-1])
            if mark == "2":
                next(lines, None)  # the name before the renaming
    return status


def _read_header(text: str, status: _Status) -> None:
    name, _, value = text.partition(" ")
    if name == "branch.oid":
        status.commit = None if value == "(initial)" else value
    elif name == "branch.head":
        status.branch = None if value in {"(detached)", "(unknown)"} else printable(value)


def _diff(git: Git, status: _Status) -> tuple[str, bool]:
    base = status.commit
    if base is None:
        base = git.ask("hash-object", "-t", "tree", "--stdin")[0].decode().strip()  # the id of the empty tree
    paths = list(_pathspecs(status.changed))
    if not paths:
        return "", False
    output, whole = git.ask(*_DIFF, base, "--", *paths, most=MOST_DIFF)
    text = output.decode("utf-8", "replace").replace("\0", "\ufffd")
    fitting = text.encode()[:MOST_DIFF].decode("utf-8", "ignore")
    if whole and len(fitting) == len(text):
        return text, False
    return fitting[: fitting.rfind("\n") + 1], True


def _pathspecs(changed: list[str]) -> Iterator[str]:
    """What the diff is asked for: changed files but those that look like secrets."""
    open_ones = [path for path in changed if not is_secret_file(path)]
    if len(open_ones) <= _MOST_PATHS:
        yield from (f":(top,literal){path}" for path in open_ones)
        return
    # Too many for a command line. Git matches patterns with every file of the tree, which takes long in a large one.
    yield ":(top)"
    yield from (f":(top,exclude,icase,glob)**/{pattern}" for pattern in SECRET_FILES)
    yield from (f":(top,exclude,icase,glob)**/{pattern}/**" for pattern in SECRET_FOLDERS)


def _remote(git: Git, branch: str | None) -> str | None:
    """The URL of the branch's remote, else of `origin`, else of the first one, as the configuration has it."""
    # `git remote get-url` would apply `url.*.insteadOf`, which is where build machines put tokens.
    output, _ = git.ask("config", "--null", "--get-regexp", r"^(remote\..*\.url|branch\..*\.remote)$", codes=(0, 1))
    pairs = (entry.partition("\n") for entry in output.decode("utf-8", "replace").split("\0") if entry)
    settings: dict[str, str] = {}
    for name, _, value in pairs:
        settings.setdefault(name, value)
    chosen = settings.get(f"branch.{branch}.remote", "origin")
    urls = {name: value for name, value in settings.items() if name.startswith("remote.")}
    url = urls.get(f"remote.{chosen}.url") or urls.get("remote.origin.url") or next(iter(urls.values()), None)
    return without_credentials(url) if url else None
