"""A bare repository, made where there is none."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from amlsdk.errors import MissingDependency, Unavailable

__all__ = ["KEPT_SETTINGS", "bare_repository", "git_environment", "settings_in_environment"]

_TIMEOUT_S = 30.0
# Whatever a repository's own configuration says: nothing that somebody pushed is ever executed, and what arrives is
# checked. git-config(1), git-receive-pack(1).
KEPT_SETTINGS = {
    "core.hooksPath": os.devnull,
    "receive.fsckObjects": "true",
    "receive.denyNonFastForwards": "true",
    "receive.denyDeletes": "true",
    "receive.autogc": "false",
    "gc.auto": "0",
    "http.receivepack": "true",
}


def bare_repository(folder: Path) -> Path:
    """Return a folder that is a bare git repository, made where there is none.

    Raises:
        MissingDependency: There is no git on this machine.
        Unavailable: It can't be made; the message says why.
    """
    if (folder / "HEAD").is_file():
        return folder
    try:
        _make(folder)
    except FileNotFoundError as error:
        raise MissingDependency("projects are published by git, which is not installed here: install git") from error
    except OSError as error:
        raise Unavailable(f"the repository {folder.name!r} can't be made: {error.strerror or error}") from error
    return folder


def _make(folder: Path) -> None:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        command = ["git", "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(draft)]
        done = subprocess.run(command, env=git_environment(), capture_output=True, timeout=_TIMEOUT_S, check=False)
        if done.returncode:
            raise OSError(done.stderr.decode(errors="replace").strip())
        # Of two that come at once, the second finds a folder that is not empty.
        with contextlib.suppress(OSError):
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    if not (folder / "HEAD").is_file():
        raise OSError(f"nothing could be put in its place at {folder}")


def git_environment() -> dict[str, str]:
    """Return an environment in which git reads no configuration but a repository's own."""
    return {"PATH": os.environ.get("PATH", os.defpath), "GIT_CONFIG_NOSYSTEM": "1", "HOME": os.devnull, "LC_ALL": "C"}


def settings_in_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables that give git settings, which so are in no list of processes."""
    numbered = list(enumerate(settings.items()))
    keys = {f"GIT_CONFIG_KEY_{number}": name for number, (name, _) in numbered}
    values = {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in numbered}
    return {"GIT_CONFIG_COUNT": str(len(numbered)), **keys, **values}
