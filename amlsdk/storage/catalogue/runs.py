"""Records of runs from their rows: two queries more for a whole list, whatever its length."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import orjson
from sqlalchemy import select
from sqlalchemy.engine import Connection

from amlsdk.records.jobs import JobSpec, ProcessIdentity
from amlsdk.records.runs import RunRecord, StateRecord
from amlsdk.storage.catalogue.for_runs import ForRuns
from amlsdk.storage.catalogue.schema import run_state
from amlsdk.storage.catalogue.summaries import Summary, summaries_of
from amlsdk.storage.catalogue.times import from_us

__all__ = ["SHOWN", "job_of", "owner_of", "record_of", "records_of"]

# Columns of the table `run` that a record shows, in the order in which `record_of` takes them.
SHOWN = (
    "id",
    "number",
    "name",
    "project_id",
    "experiment_id",
    "parent_id",
    "kind",
    "status",
    "error",
    "user",
    "created_at",
    "started_at",
    "ended_at",
    "job",
    "exit_code",
    "owner",
)

_JOB = attrs.fields_dict(JobSpec).keys()
_STATES = ForRuns(
    select(run_state.c.run_pk, run_state.c.status, run_state.c.at, run_state.c.reason).order_by(
        run_state.c.run_pk, run_state.c.number
    ),
    run_state.c.run_pk,
)


def records_of(connection: Connection, rows: Sequence[Any], *, states: bool = False) -> list[RunRecord]:
    """Return the records of runs, in the order of their rows.

    Args:
        connection: To read metrics, params and tags with.
        rows: Rows that have all columns of the table `run` by name.
        states: Give each record its states too.
    """
    if not rows:
        return []
    # By position: asking each row for each column by its name would take longer than the queries.
    names = list(rows[0]._fields)
    shown = operator.itemgetter(*[names.index(name) for name in SHOWN])
    keys = [row.pk for row in rows]
    summaries = summaries_of(connection, keys)
    passed = _states(_STATES.rows(connection, keys)) if states else {}
    return [
        record_of(shown(tuple(row)), summaries[key], states=passed.get(key, ()))
        for key, row in zip(keys, rows, strict=True)
    ]


def record_of(
    values: Sequence[Any], summary: Summary, *, states: Iterable[tuple[str, int, str | None]] = ()
) -> RunRecord:
    """Return the record of a run.

    Args:
        values: Of the columns that `SHOWN` names.
        summary: Its metrics, params and tags.
        states: Status, time in microseconds since 1970 UTC and reason of each, oldest first.
    """
    *begin, created_at, started_at, ended_at, job, exit_code, owner = values
    run_id, number, name, project_id, experiment_id, parent_id, kind, status, error, user = begin
    return RunRecord(
        id=run_id,
        number=number,
        name=name,
        project_id=project_id,
        experiment_id=experiment_id,
        parent_id=parent_id,
        kind=kind,
        status=status,
        error=error,
        user=user,
        created_at=from_us(created_at),
        started_at=None if started_at is None else from_us(started_at),
        ended_at=None if ended_at is None else from_us(ended_at),
        job=job_of(job),
        exit_code=exit_code,
        owner=owner_of(owner),
        metrics=summary.metrics,
        params=summary.params,
        tags=summary.tags,
        states=tuple([StateRecord(status=status, at=from_us(at), reason=reason) for status, at, reason in states]),
    )


def job_of(text: str | None) -> JobSpec | None:
    """Return what the column `job` holds."""
    if text is None:
        return None
    fields = {name: value for name, value in orjson.loads(text).items() if name in _JOB}
    return JobSpec(**{**fields, "arguments": tuple(fields["arguments"])})


def owner_of(text: str | None) -> ProcessIdentity | None:
    """Return what the column `owner` holds."""
    return None if text is None else ProcessIdentity(**orjson.loads(text))


def _states(rows: Iterable[Any]) -> dict[int, list[tuple[str, int, str | None]]]:
    found: dict[int, list[tuple[str, int, str | None]]] = defaultdict(list)
    for key, *state in rows:
        found[key].append((state[0], state[1], state[2]))
    return found
