"""Operations of those who execute submitted runs."""

from __future__ import annotations

import datetime as dt

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.jobs import LeaseRecord, ProcessIdentity
from amlsdk.records.runs import JobRecord, RunRecord

__all__ = ["CancelRun", "ClaimRun", "HeartbeatRun", "SetRunStatus"]


@operation("POST", "/v1/runs/{run_id}/cancel", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class CancelRun(Request[RunRecord]):
    """Ask that a run be cancelled: a queued one at once, an active one by its supervisor; an ended one stays."""

    run_id: str


@operation("POST", "/v1/claims", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class ClaimRun(Request[JobRecord]):
    """Claim the oldest queued run of a target, or the one named, while fewer than the workspace's slots are claimed."""

    supervisor: ProcessIdentity
    target: str = "local"
    run_id: str | None = None


@operation("POST", "/v1/runs/{run_id}/heartbeat", role=Role.CONTRIBUTOR, sign_of_life=True)
@attrs.frozen(kw_only=True)
class HeartbeatRun(Request[LeaseRecord]):
    """Keep a claim; a Conflict where somebody else holds the run or it has ended."""

    run_id: str
    supervisor: ProcessIdentity


@operation("POST", "/v1/runs/{run_id}/status", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class SetRunStatus(Request[RunRecord]):
    """Enter a state, as the owner of the run; `at` is when it was entered, by the caller's clock."""

    run_id: str
    supervisor: ProcessIdentity
    status: str
    at: dt.datetime
    reason: str | None = None
    exit_code: int | None = None
