"""Submitted runs: claimed, kept, cancelled."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.local.handling import Local, handles
from amlsdk.local.leases import LEASE_S, lease_end, owner_text, refuse_others, shown
from amlsdk.local.lookup import find_run
from amlsdk.local.settling import settle, settle_rows
from amlsdk.local.states import enter
from amlsdk.operations.jobs import CancelRun, ClaimRun, HeartbeatRun
from amlsdk.records.jobs import LeaseRecord
from amlsdk.records.runs import ACTIVE, ENDED, JobRecord, RunRecord, RunStatus
from amlsdk.service import Principal
from amlsdk.storage.catalogue.runs import owner_of, records_of
from amlsdk.storage.catalogue.schema import run, run_state, workspace
from amlsdk.storage.catalogue.times import now_us

__all__: list[str] = []

_CLAIMED = [status for status in ACTIVE if status not in (RunStatus.NOT_STARTED, RunStatus.QUEUED)]


@handles(ClaimRun)
def claim_run(local: Local, _: Principal, request: ClaimRun) -> JobRecord:
    """Give a supervisor a queued run, where one waits and the workspace has a slot free."""
    settle(local)
    with local.database.write() as connection:
        row = _held(connection, request)
        if row is None and _has_slot(connection, request):
            row = _claim(connection, request)
        record = records_of(connection, [row], states=True)[0] if row is not None else None
    return JobRecord(run=record, lease_s=LEASE_S)


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
        connection.execute(update(run).where(run.c.pk == row.pk).values(lease_until=lease_end()))
        return LeaseRecord(cancel_requested=row.cancel_requested, lease_s=LEASE_S)


@handles(CancelRun)
def cancel_run(local: Local, _: Principal, request: CancelRun) -> RunRecord:
    """Cancel a queued run, or ask the supervisor of an active one to."""
    with local.database.read() as connection:
        row = find_run(connection, request.run_id)
    settle_rows(local, [row])
    with local.database.write() as connection:
        _cancel(connection, find_run(connection, request.run_id))
        return records_of(connection, [find_run(connection, request.run_id)], states=True)[0]


def _held(connection: Connection, request: ClaimRun) -> Any:
    """Return the run that this supervisor was given already, by an answer that was lost."""
    mine = run.c.owner == owner_text(request.supervisor)
    statement = select(run).where(run.c.status == RunStatus.STARTING, run.c.target == request.target, mine)
    if request.run_id is not None:
        statement = statement.where(run.c.id == request.run_id)
    return connection.execute(statement.order_by(run.c.pk)).first()


def _has_slot(connection: Connection, request: ClaimRun) -> bool:
    if request.target != "local":
        return True
    claimed = select(run.c.owner).where(run.c.status.in_(_CLAIMED), run.c.target == "local", run.c.owner.is_not(None))
    owners = [owner_of(text) for text in connection.execute(claimed).scalars()]
    taken = sum(owner is not None and owner.host == request.supervisor.host for owner in owners)
    slots: int = connection.execute(select(workspace.c.slots)).scalar_one()
    return taken < slots


def _claim(connection: Connection, request: ClaimRun) -> Any:
    queued = select(run).where(run.c.status == RunStatus.QUEUED, run.c.target == request.target)
    if request.run_id is not None:
        find_run(connection, request.run_id)
        queued = queued.where(run.c.id == request.run_id)
    row = connection.execute(queued.order_by(run.c.pk).limit(1)).first()
    if row is None:
        return None
    owner = owner_text(request.supervisor)
    enter(connection, row, RunStatus.STARTING, at=now_us(), owner=owner, lease_until=lease_end())
    return find_run(connection, row.id)


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
    if row.kind == "interactive":
        owner = owner_of(row.owner)
        how = f"end it there (kill {owner.pid} on {owner.host})" if owner else "end it where it runs"
        raise InvalidArgument(f"run {row.id} is interactive and ended only by its own {shown(row.owner)}: {how}")
    enter(connection, row, RunStatus.CANCEL_REQUESTED, at=now_us(), cancel_requested=True)
