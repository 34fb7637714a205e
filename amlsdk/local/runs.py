"""Runs: read, searched, resumed, deleted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.local.handling import Local, handles
from amlsdk.local.ingest import ingest_all, ingest_run
from amlsdk.local.leases import lease_end, owner_text, shown
from amlsdk.local.lookup import find_run
from amlsdk.local.removal import refuse_if_needed, remove_runs
from amlsdk.local.settling import settle, settle_rows
from amlsdk.local.states import enter
from amlsdk.local.waiting import wait_for
from amlsdk.operations.runs import DeleteRun, GetRun, ResumeRun, SearchRuns
from amlsdk.records.pages import Ack, Page
from amlsdk.records.runs import ENDED, RunRecord, RunStatus
from amlsdk.service import Principal
from amlsdk.storage.catalogue.runs import owner_of, records_of
from amlsdk.storage.catalogue.schema import run
from amlsdk.storage.catalogue.times import now_us

__all__: list[str] = []


@handles(GetRun)
def get_run(local: Local, _: Principal, request: GetRun) -> RunRecord:
    """Read a run, after what it wrote, and wait for its end as long as was asked."""

    def ended() -> RunRecord | None:
        record = _look(local, request.run_id)
        return record if record.status in ENDED else None

    record = wait_for(ended, request.wait_s) if request.wait_s else None
    return record or _look(local, request.run_id)


@handles(SearchRuns)
def search(local: Local, _: Principal, request: SearchRuns) -> Page[RunRecord]:
    """Find runs, after what all of them wrote."""
    from amlsdk.storage.catalogue.search import search_runs

    ingest_all(local)
    settle(local)
    with local.database.read() as connection:
        return search_runs(connection, request)


@handles(ResumeRun)
def resume_run(local: Local, _: Principal, request: ResumeRun) -> RunRecord:
    """Let an interactive run go on under a new owner."""
    # What the run wrote before, its end too, is to stand before its new beginning.
    _look(local, request.run_id)
    with local.database.write() as connection:
        row = find_run(connection, request.run_id)
        if row.status in ENDED or row.owner != owner_text(request.owner):
            _refuse_resume(local, row)
            changes: dict[str, Any] = dict.fromkeys(("claimed_status", "claimed_error", "ended_at", "error"))
            changes |= {"owner": owner_text(request.owner), "lease_until": lease_end() if local.served else None}
            enter(connection, row, RunStatus.RUNNING, at=now_us(), reason="resumed", **changes)
        return records_of(connection, [find_run(connection, request.run_id)], states=True)[0]


@handles(DeleteRun)
def delete_run(local: Local, _: Principal, request: DeleteRun) -> Ack:
    """Delete a run that has ended and that nothing needs."""
    inside = run.c.id == request.run_id
    with remove_runs(local, inside) as connection:
        refuse_if_needed(connection, f"run {request.run_id}", inside)
        connection.execute(delete(run).where(inside))
    return Ack()


def _look(local: Local, run_id: str) -> RunRecord:
    ingest_run(local, run_id)
    row, record = _read(local, run_id)
    if row.status not in ENDED and settle_rows(local, [row]):
        row, record = _read(local, run_id)
    return record


def _read(local: Local, run_id: str) -> tuple[Any, RunRecord]:
    with local.database.read() as connection:
        row = find_run(connection, run_id)
        return row, records_of(connection, [row], states=True)[0]


def _refuse_resume(local: Local, row: Any) -> None:
    if row.kind != "interactive":
        raise InvalidArgument(f"run {row.id} was submitted and can't be resumed; resubmit it")
    owner = owner_of(row.owner)
    if row.status in ENDED or owner is None:
        return
    gone = local.is_gone(owner)
    if gone is None and row.status == RunStatus.NOT_RESPONDING:
        # Nobody can tell from here; it has given no sign of life for so long that another may go on.
        return
    if gone is not True:
        raise Conflict(f"run {row.id} is active and belongs to {shown(row.owner)}; end it there first")
