"""Queued runs given to supervisors, while there are slots."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from amlsdk.local.handling import Local, handles
from amlsdk.local.leases import LEASE_S, lease_end, owner_text
from amlsdk.local.lookup import find_run
from amlsdk.local.settling import settle
from amlsdk.local.states import enter
from amlsdk.operations.jobs import ClaimRun
from amlsdk.records.runs import ACTIVE, JobRecord, RunStatus
from amlsdk.service import Principal
from amlsdk.storage.catalogue.runs import job_of, owner_of, records_of
from amlsdk.storage.catalogue.schema import agent, run, workspace
from amlsdk.storage.catalogue.times import now_us

__all__ = ["free_slots"]

# One that gives no sign of life must not keep a slot for ever.
_IDLE = (RunStatus.NOT_STARTED, RunStatus.QUEUED, RunStatus.NOT_RESPONDING)
_AT_WORK = [status for status in ACTIVE if status not in _IDLE]


@handles(ClaimRun)
def claim_run(local: Local, principal: Principal, request: ClaimRun) -> JobRecord:
    """Give a supervisor a queued run, where one waits and there is a slot free."""
    settle(local)
    with local.database.write() as connection:
        row = _held(connection, request)
        if row is None and _has_slot(connection, request):
            row = _claim(connection, local, principal, request)
        record = records_of(connection, [row], states=True)[0] if row is not None else None
    return JobRecord(run=record, lease_s=LEASE_S)


def free_slots(connection: Connection, name: str, slots: int) -> int:
    """Return how many more runs an agent may execute.

    Args:
        connection: To read with.
        name: Of the agent.
        slots: How many it executes at once.
    """
    taken = select(func.count()).where(run.c.target == name, run.c.status.in_(_AT_WORK))
    return max(0, slots - int(connection.execute(taken).scalar_one()))


def _held(connection: Connection, request: ClaimRun) -> Any:
    """Return the run that this supervisor was given already, by an answer that was lost."""
    mine = run.c.owner == owner_text(request.supervisor)
    statement = select(run).where(run.c.status == RunStatus.STARTING, run.c.target == request.target, mine)
    if request.run_id is not None:
        statement = statement.where(run.c.id == request.run_id)
    return connection.execute(statement.order_by(run.c.pk)).first()


def _has_slot(connection: Connection, request: ClaimRun) -> bool:
    if request.target != "local":
        slots: int | None = connection.execute(select(agent.c.slots).where(agent.c.name == request.target)).scalar()
        return slots is None or free_slots(connection, request.target, slots) > 0
    claimed = select(run.c.owner).where(run.c.status.in_(_AT_WORK), run.c.target == "local", run.c.owner.is_not(None))
    owners = [owner_of(text) for text in connection.execute(claimed).scalars()]
    taken = sum(owner is not None and owner.host == request.supervisor.host for owner in owners)
    most: int = connection.execute(select(workspace.c.slots)).scalar_one()
    return taken < most


def _claim(connection: Connection, local: Local, principal: Principal, request: ClaimRun) -> Any:
    queued = select(run).where(run.c.status == RunStatus.QUEUED, run.c.target == request.target)
    if request.run_id is not None:
        find_run(connection, request.run_id)
        queued = queued.where(run.c.id == request.run_id)
    if local.served and request.target == "local":
        # It executes as the user of a machine, with all that they may do there: nobody else's code may.
        queued = queued.where(run.c.user == principal.name)
    for row in connection.execute(queued.order_by(run.c.pk)):
        job = job_of(row.job)
        if job is None or job.host in (None, request.supervisor.host):
            owner = owner_text(request.supervisor)
            enter(connection, row, RunStatus.STARTING, at=now_us(), owner=owner, lease_until=lease_end())
            return find_run(connection, row.id)
    return None
