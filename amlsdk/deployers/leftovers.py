"""Processes of a former supervisor that was lost: they end by themselves, but for those that hang."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import attrs

from amlsdk.processes import identity_of, is_gone
from amlsdk.records.jobs import ProcessIdentity

__all__ = ["end_leftovers", "note_processes"]

_LOGGER = logging.getLogger("amlsdk")
_GRACE_S = 3.0
_LOOK_S = 0.02


def note_processes(note: Path, pids: Iterable[int]) -> None:
    """Note which processes are there, for the next supervisor."""
    identities = [attrs.asdict(identity_of(pid)) for pid in pids]
    draft = note.with_name(f"{note.name}.new")
    try:
        draft.write_text(json.dumps(identities), encoding="utf-8")
        draft.replace(note)
    except OSError as error:
        # Without the note, only one that hangs is not found.
        _LOGGER.warning("the processes can't be noted: %s", error)


def end_leftovers(note: Path) -> None:
    """End the noted processes that are still there: they hold the port."""
    left = [identity for identity in _read(note) if identity.started and is_gone(identity) is False]
    for identity in left:
        _signal(identity, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_S
    while any(is_gone(identity) is False for identity in left) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    for identity in left:
        if is_gone(identity) is False:
            _LOGGER.warning("process %d of the former supervisor hangs and is killed", identity.pid)
            _signal(identity, signal.SIGKILL)


def _signal(identity: ProcessIdentity, number: int) -> None:
    # Each leads a session of its own.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(identity.pid, number)


def _read(note: Path) -> list[ProcessIdentity]:
    try:
        return [ProcessIdentity(**fields) for fields in json.loads(note.read_text("utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
