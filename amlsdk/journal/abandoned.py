"""Journals that nobody will write again, though they have no last line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amlsdk.journal.entries import Entry
from amlsdk.journal.folder import read_from
from amlsdk.journal.lines import parse_batch
from amlsdk.processes import identity_of

__all__ = ["is_abandoned"]

_FIRST_LINE = 4096
_NEW_S = 60.0
# Between the clocks of files and of processes.
_SLACK_S = 2.0


def is_abandoned(path: Path) -> bool:
    """Say of a journal whose lock is free whether its writer is dead for sure.

    Some network file systems have no locks, or none that other machines see: there only a last line tells.
    """
    head = read_from(path, 0, _FIRST_LINE)
    if not head:
        # Between its creation and its lock, a journal is empty for a moment.
        return time.time() - path.stat().st_mtime > _NEW_S
    begin = next((entry for entry in parse_batch(head, first_offset=0).others if entry.kind == "begin"), None)
    return begin is None or _is_dead(begin, begin.data)


def _is_dead(begin: Entry, said: Mapping[str, Any]) -> bool:
    found = identity_of(said["p"])
    if said["h"] != found.host:
        return False
    return not found.started or _is_younger(said["p"], begin.time_us / 1e6)


def _is_younger(pid: int, time_s: float) -> bool:
    """Say whether the process that has a number by now was begun after a time, and so is another one."""
    import psutil

    try:
        created: float = psutil.Process(pid).create_time()
    except psutil.Error:
        return False
    return created > time_s + _SLACK_S
