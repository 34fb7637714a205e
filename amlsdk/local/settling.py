"""Runs whose process is gone, ended with the reason at the next contact."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import select

from amlsdk.local.handling import Local
from amlsdk.local.ingest import ingest_run
from amlsdk.local.leases import shown
from amlsdk.local.leftovers import end_leftovers
from amlsdk.local.locking import WorkspaceLock
from amlsdk.local.lookup import find_run
from amlsdk.local.salvage import keep_files, save_outputs
from amlsdk.local.states import enter
from amlsdk.records.jobs import ProcessIdentity
from amlsdk.records.runs import ACTIVE, ENDED, RunStatus
from amlsdk.storage.catalogue.runs import owner_of
from amlsdk.storage.catalogue.schema import run
from amlsdk.storage.catalogue.times import now_us

__all__ = ["gone_reason", "settle", "settle_rows"]

_UNOWNED = (RunStatus.NOT_STARTED, RunStatus.QUEUED)
_OWNED = select(run).where(
    run.c.status.in_([status for status in ACTIVE if status not in _UNOWNED]), run.c.owner.is_not(None)
)
_WAIT_S = 600.0


def settle(local: Local) -> None:
    """End all runs whose process is gone; one look at an index where none is active."""
    with local.database.read() as connection:
        rows = connection.execute(_OWNED).all()
    settle_rows(local, rows)


def settle_rows(local: Local, rows: Iterable[Any]) -> bool:
    """End those of some runs whose process is gone; say whether any of them changed."""
    if local.database.read_only:
        return False
    # Many runs may have one owner; asking the system for each run would be slow where hundreds are active.
    is_lost = functools.cache(local.is_gone)
    changed = [_settle_one(local, row, is_lost) for row in rows]
    return any(changed)


def gone_reason(row: Any) -> str:
    """Return why a run was ended whose owner is gone."""
    if row.kind == "interactive":
        return f"the {shown(row.owner)} ended without ending the run"
    return f"its supervisor ({shown(row.owner)}) is gone"


def _settle_one(local: Local, row: Any, is_lost: Callable[[ProcessIdentity], bool | None]) -> bool:
    owner = owner_of(row.owner)
    # A script that looks at its own run is the last that should end it.
    if row.status in (*_UNOWNED, *ENDED) or owner is None or os.environ.get("AMLSDK_RUN_ID") == row.id:
        return False
    gone = is_lost(owner)
    if gone:
        return _end(local, row)
    return gone is None and _miss(local, row)


def _miss(local: Local, row: Any) -> bool:
    """Note that a supervisor elsewhere gives no sign of life; it may come back."""
    if row.status == RunStatus.NOT_RESPONDING or row.lease_until is None or row.lease_until >= now_us():
        return False
    with local.database.write() as connection:
        now = find_run(connection, row.id)
        if (now.status, now.lease_until) != (row.status, row.lease_until):
            return True
        reason = f"no sign of life from {shown(row.owner)}"
        enter(connection, now, RunStatus.NOT_RESPONDING, at=now_us(), reason=reason)
    return True


def _end(local: Local, row: Any) -> bool:
    lock = WorkspaceLock(local.folder / "settling.lock")
    busy = "another process has been saving what lost runs left for too long; try again"
    try:
        with lock.alone(timeout_s=_WAIT_S, otherwise=busy):
            if _is_open(local, row):
                _end_alone(local, row)
    finally:
        lock.release()
        lock.close()
    return True


def _end_alone(local: Local, row: Any) -> None:
    if row.kind == "submitted":
        end_leftovers(local.run_folder(row.id), row.id)
    # Whoever wrote may have ended the run itself: its own word comes first.
    ingest_run(local, row.id)
    files = save_outputs(local, row.id) if row.kind == "submitted" else []
    with local.database.write() as connection:
        now = find_run(connection, row.id)
        if now.status in ENDED or now.owner != row.owner:
            return
        keep_files(connection, now.pk, files)
        claimed = now.claimed_status if now.claimed_status in ENDED else None
        reason = now.claimed_error if claimed else gone_reason(row)
        enter(connection, now, claimed or RunStatus.FAILED, at=now_us(), reason=reason)


def _is_open(local: Local, row: Any) -> bool:
    with local.database.read() as connection:
        now = find_run(connection, row.id)
        return now.status not in ENDED and now.owner == row.owner
