"""The states that a supervisor sets."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.local.handling import Local, handles
from amlsdk.local.ingest import ingest_run
from amlsdk.local.leases import lease_end, refuse_others
from amlsdk.local.lookup import find_run
from amlsdk.local.settling import gone_reason
from amlsdk.local.states import change, enter
from amlsdk.operations.jobs import SetRunStatus
from amlsdk.records.names import check_text
from amlsdk.records.runs import ENDED, RunRecord, RunStatus
from amlsdk.service import Principal
from amlsdk.storage.catalogue.runs import records_of
from amlsdk.storage.catalogue.times import to_us

__all__: list[str] = []

# A run never goes back; a supervisor that was asked to cancel may still be setting earlier ones.
_ORDER = (
    RunStatus.NOT_RESPONDING,
    RunStatus.NOT_STARTED,
    RunStatus.QUEUED,
    RunStatus.STARTING,
    RunStatus.PROVISIONING,
    RunStatus.PREPARING,
    RunStatus.RUNNING,
    RunStatus.CANCEL_REQUESTED,
    RunStatus.FINALIZING,
    *sorted(ENDED),
)
_FORBIDDEN = (RunStatus.NOT_RESPONDING, RunStatus.NOT_STARTED, RunStatus.QUEUED)


@handles(SetRunStatus)
def set_run_status(local: Local, _: Principal, request: SetRunStatus) -> RunRecord:
    """Let a run enter a state, as its holder says."""
    if request.status not in _ORDER or request.status in _FORBIDDEN:
        allowed = ", ".join(status for status in _ORDER if status not in _FORBIDDEN)
        raise InvalidArgument(f"{request.status[:40]!r} is no state that a supervisor sets; those are {allowed}")
    check_text(request.reason or "", what="the reason of a state")
    if request.status in ENDED:
        # The run's own word on how it ended has to be known before its end is set.
        ingest_run(local, request.run_id)
    with local.database.write() as connection:
        row = find_run(connection, request.run_id)
        refuse_others(row, request.supervisor)
        if row.status in ENDED:
            _correct(connection, row, request)
        else:
            _advance(connection, row, request)
        return records_of(connection, [find_run(connection, request.run_id)], states=True)[0]


def _advance(connection: Connection, row: Any, request: SetRunStatus) -> None:
    known = {"lease_until": lease_end()} | ({} if request.exit_code is None else {"exit_code": request.exit_code})
    change(connection, row, **known)
    if request.status == row.status:
        return
    if _ORDER.index(request.status) > _ORDER.index(row.status):
        _enter(connection, row, request)
    elif not row.cancel_requested:
        raise Conflict(f"run {row.id} is {row.status} and can't go back to {request.status}")
    elif request.status == RunStatus.RUNNING and row.started_at is None:
        change(connection, row, started_at=to_us(request.at))


def _correct(connection: Connection, row: Any, request: SetRunStatus) -> None:
    """Leave an ended run as it is, unless it was ended only because its holder seemed to be gone."""
    if row.error == gone_reason(row) and request.status in ENDED:
        _enter(connection, row, request)
    elif request.status != row.status and not _claims_worse(row, request):
        raise Conflict(f"run {row.id} has ended as {row.status} and can't become {request.status}")


def _enter(connection: Connection, row: Any, request: SetRunStatus) -> None:
    status, reason = request.status, request.reason
    if _claims_worse(row, request):
        status, reason = row.claimed_status, row.claimed_error or request.reason
    code = {} if request.exit_code is None else {"exit_code": request.exit_code}
    enter(connection, row, status, at=to_us(request.at), reason=reason, **code)


def _claims_worse(row: Any, request: SetRunStatus) -> bool:
    """Say whether the run itself says that it did not complete, which an exit code of 0 does not outweigh."""
    return request.status == RunStatus.COMPLETED and row.claimed_status in (RunStatus.FAILED, RunStatus.CANCELED)
