"""Submitted runs: kept, cancelled."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.local.handling import Local, handles
from amlsdk.local.leases import LEASE_S, lease_end, refuse_others, shown
from amlsdk.local.lookup import find_run
from amlsdk.local.settling import settle_rows
from amlsdk.local.states import change, enter
from amlsdk.operations.jobs import CancelRun, HeartbeatRun
from amlsdk.records.jobs import LeaseRecord
from amlsdk.records.runs import ENDED, RunRecord, RunStatus
from amlsdk.service import Principal
from amlsdk.storage.catalogue.runs import owner_of, records_of
from amlsdk.storage.catalogue.schema import run_state
from amlsdk.storage.catalogue.times import now_us

__all__: list[str] = []


@handles(HeartbeatRun)
def heartbeat_run(local: Local, _: Principal, request: HeartbeatRun) -> LeaseRecord:
    """Renew a lease; a run that was given up for lost is back where it was."""
    with local.database.write() as connection:
        row = find_run(connection, request.run_id)
        refuse_others(row, request.supervisor)
        if row.status in ENDED:
            raise Conflict(f"run {row.id} has ended as {row.status}; there is nothing to keep alive")
        if row.status == RunStatus.NOT_RESPONDING:
            enter(connection, row, _status_before(connection, row), at=now_us(), reason="responds again")
        change(connection, row, lease_until=lease_end())
        return LeaseRecord(cancel_requested=row.cancel_requested, lease_s=LEASE_S)


@handles(CancelRun)
def cancel_run(local: Local, _: Principal, request: CancelRun) -> RunRecord:
    """Cancel a queued run or a lost interactive one, or ask the supervisor of an active one to."""
    with local.database.read() as connection:
        row = find_run(connection, request.run_id)
    settle_rows(local, [row])
    with local.database.write() as connection:
        _cancel(connection, find_run(connection, request.run_id))
        return records_of(connection, [find_run(connection, request.run_id)], states=True)[0]


def _status_before(connection: Connection, row: Any) -> str:
    """Return the last state in which the run responded."""
    if row.cancel_requested:
        return RunStatus.CANCEL_REQUESTED
    passed = select(run_state.c.status).where(
        run_state.c.run_pk == row.pk, run_state.c.status != RunStatus.NOT_RESPONDING
    )
    status: str = connection.execute(passed.order_by(run_state.c.number.desc()).limit(1)).scalar_one()
    return status


def _cancel(connection: Connection, row: Any) -> None:
    if row.status in ENDED or row.cancel_requested:
        return
    if row.status == RunStatus.QUEUED:
        enter(connection, row, RunStatus.CANCELED, at=now_us(), reason="cancelled before it began")
        return
    if row.kind == "interactive" and row.status == RunStatus.NOT_RESPONDING:
        # Where its process is still there after all, its journal has the last word.
        reason = f"cancelled while there was no sign of life from {shown(row.owner)}"
        enter(connection, row, RunStatus.CANCELED, at=now_us(), reason=reason)
        return
    if row.kind == "interactive":
        owner = owner_of(row.owner)
        how = f"end it there (kill {owner.pid} on {owner.host})" if owner else "end it where it runs"
        raise InvalidArgument(f"run {row.id} is interactive and ended only by its own {shown(row.owner)}: {how}")
    enter(connection, row, RunStatus.CANCEL_REQUESTED, at=now_us(), cancel_requested=True)
