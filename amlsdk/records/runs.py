"""Runs: what they are and where they stand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import attrs

from amlsdk.records.jobs import JobSpec, ProcessIdentity
from amlsdk.records.logged import MetricSummary

__all__ = [
    "ACTIVE",
    "ENDED",
    "JobRecord",
    "RunRecord",
    "RunStatus",
    "StateRecord",
]


class RunStatus:
    """The states of a run, in the order a submitted run passes them. Unknown ones are to be shown, not refused."""

    NOT_STARTED = "NotStarted"
    STARTING = "Starting"
    PROVISIONING = "Provisioning"
    QUEUED = "Queued"
    PREPARING = "Preparing"
    RUNNING = "Running"
    FINALIZING = "Finalizing"
    CANCEL_REQUESTED = "CancelRequested"
    NOT_RESPONDING = "NotResponding"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"


ENDED = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELED})
ACTIVE = (
    RunStatus.NOT_STARTED,
    RunStatus.STARTING,
    RunStatus.PROVISIONING,
    RunStatus.QUEUED,
    RunStatus.PREPARING,
    RunStatus.RUNNING,
    RunStatus.FINALIZING,
    RunStatus.CANCEL_REQUESTED,
    RunStatus.NOT_RESPONDING,
)


@attrs.frozen(kw_only=True)
class StateRecord:
    """A state that a run entered.

    Args:
        status: One of `RunStatus`.
        at: When (UTC).
        reason: Why, where there is something to say.
    """

    status: str
    at: dt.datetime
    reason: str | None = None


@attrs.frozen(kw_only=True)
class RunRecord:
    """A run: one execution of code, interactive or submitted.

    Args:
        id: Its id.
        number: Counts per project, from 1.
        name: Not unique; given, or made of the script's name and the number.
        project_id: Project.
        experiment_id: Experiment.
        parent_id: The run it is a child of, or None.
        kind: `interactive` or `submitted`.
        status: One of `RunStatus`.
        error: Why it Failed or was Canceled, else None.
        user: Who began it.
        created_at: When it was recorded (UTC).
        started_at: When the code began, or None.
        ended_at: When it ended, or None.
        job: What was submitted; None for interactive runs.
        exit_code: Of the script; None while unknown and for interactive runs.
        owner: The process that ends it: the interactive one, or its supervisor.
        metrics: Summary by name.
        params: Text by name.
        tags: Text by name.
        states: All states with times, oldest first; empty in lists.
    """

    id: str
    number: int
    name: str
    project_id: str
    experiment_id: str
    kind: str
    status: str
    user: str
    created_at: dt.datetime
    parent_id: str | None = None
    error: str | None = None
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    job: JobSpec | None = None
    exit_code: int | None = None
    owner: ProcessIdentity | None = None
    metrics: Mapping[str, MetricSummary] = attrs.field(factory=dict)
    params: Mapping[str, str] = attrs.field(factory=dict)
    tags: Mapping[str, str] = attrs.field(factory=dict)
    states: tuple[StateRecord, ...] = ()


@attrs.frozen(kw_only=True)
class JobRecord:
    """A submitted run that a supervisor has claimed.

    Args:
        run: The run, whose `job` says what to execute; None where nothing waits.
        lease_s: The claim is lost after so many seconds without a heartbeat.
    """

    run: RunRecord | None
    lease_s: float
