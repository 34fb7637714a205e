"""Processes that a lost supervisor left behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from amlsdk.processes import is_gone
from amlsdk.records.jobs import ProcessIdentity

if TYPE_CHECKING:
    import psutil

__all__ = ["end_leftovers"]

_MARK = "AMLSDK_RUN_ID"
_ROUNDS = 20


def end_leftovers(folder: Path, run_id: str) -> None:
    """End the processes of a run: those its supervisor noted, their sessions, and all that carry the run's mark.

    Args:
        folder: Of the run; `processes.json` in it has the identities of what was started.
        run_id: The mark in the environment of each process that descends from them.
    """
    if not hasattr(os, "getsid"):
        return
    # A process that is being ended may have just started another: look until none is found.
    for _ in range(_ROUNDS):
        if not _end_some(_leaders(folder), run_id):
            return


def _end_some(leaders: set[int], run_id: str) -> bool:
    import psutil

    found = list(_of_run(leaders, run_id))
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(found, timeout=1)
    return bool(found)


def _of_run(leaders: set[int], run_id: str) -> Iterator[psutil.Process]:
    import psutil

    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error, OSError):
            in_session = process.pid in leaders or bool({os.getsid(process.pid), os.getpgid(process.pid)} & leaders)
            if process.status() != psutil.STATUS_ZOMBIE and (in_session or process.environ().get(_MARK) == run_id):
                yield process


def _leaders(folder: Path) -> set[int]:
    """Return the noted processes that are still the same; a number alone could be somebody else's by now."""
    try:
        noted = [ProcessIdentity(**fields) for fields in orjson.loads((folder / "processes.json").read_bytes())]
    except (OSError, orjson.JSONDecodeError, TypeError):
        # None was noted, or the supervisor was lost while noting: the mark in the environment is left.
        return set()
    return {identity.pid for identity in noted if is_gone(identity) is False}
