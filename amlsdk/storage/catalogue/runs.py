"""Records of runs from their rows: three queries for a whole list, whatever its length."""

from __future__ import annotations

import math
import operator
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
import orjson
from sqlalchemy import Select, Table, bindparam, select
from sqlalchemy.engine import Connection

from amlsdk.records.jobs import JobSpec, ProcessIdentity
from amlsdk.records.logged import MetricSummary
from amlsdk.records.runs import RunRecord, StateRecord
from amlsdk.storage.catalogue.schema import metric, param, run_state, tag
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

# The keys are numbers of the catalogue's own: written into the statement they meet no limit on parameters.
_KEYS: Any = bindparam("keys", expanding=True, literal_execute=True)


def _pair(statement: Select[Any], of: Table) -> tuple[Select[Any], Select[Any]]:
    """Return a statement for one run, which needs no writing anew, and for many."""
    return statement.where(of.c.run_pk == bindparam("key")), statement.where(of.c.run_pk.in_(_KEYS))


_METRICS = _pair(
    select(
        metric.c.run_pk, metric.c.name, metric.c.count, metric.c.last, metric.c.last_step, metric.c.min, metric.c.max
    ),
    metric,
)
_PARAMS = _pair(select(param.c.run_pk, param.c.name, param.c.value), param)
_TAGS = _pair(select(tag.c.run_pk, tag.c.name, tag.c.value), tag)
_STATES = _pair(
    select(run_state.c.run_pk, run_state.c.status, run_state.c.at, run_state.c.reason).order_by(
        run_state.c.run_pk, run_state.c.number
    ),
    run_state,
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
    metrics = _metrics(_fetch(connection, _METRICS, keys))
    params = _texts(_fetch(connection, _PARAMS, keys))
    tags = _texts(_fetch(connection, _TAGS, keys))
    passed = _states(_fetch(connection, _STATES, keys)) if states else {}
    return [
        record_of(
            shown(tuple(row)),
            metrics=metrics.get(key),
            params=params.get(key),
            tags=tags.get(key),
            states=passed.get(key, ()),
        )
        for key, row in zip(keys, rows, strict=True)
    ]


def record_of(
    values: Sequence[Any],
    *,
    metrics: dict[str, MetricSummary] | None = None,
    params: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    states: Iterable[tuple[str, int, str | None]] = (),
) -> RunRecord:
    """Return the record of a run.

    Args:
        values: Of the columns that `SHOWN` names.
        metrics: Summary by name.
        params: Text by name.
        tags: Text by name.
        states: Status, time in microseconds since 1970 UTC and reason of each, oldest first.
    """
    fields = dict(zip(SHOWN, values, strict=True))
    for name in ("created_at", "started_at", "ended_at"):
        if fields[name] is not None:
            fields[name] = from_us(fields[name])
    fields["job"] = job_of(fields["job"])
    fields["owner"] = owner_of(fields["owner"])
    return RunRecord(
        **fields,
        metrics=metrics or {},
        params=params or {},
        tags=tags or {},
        states=tuple([StateRecord(status=status, at=from_us(at), reason=reason) for status, at, reason in states]),
    )


def job_of(text: str | None) -> JobSpec | None:
    """Return what the column `job` holds."""
    if text is None:
        return None
    known = attrs.fields_dict(JobSpec)
    fields = {name: value for name, value in orjson.loads(text).items() if name in known}
    return JobSpec(**{**fields, "arguments": tuple(fields["arguments"])})


def owner_of(text: str | None) -> ProcessIdentity | None:
    """Return what the column `owner` holds."""
    return None if text is None else ProcessIdentity(**orjson.loads(text))


def _fetch(connection: Connection, statements: tuple[Select[Any], Select[Any]], keys: list[int]) -> Iterator[Any]:
    one, many = statements
    result = connection.execute(one, {"key": keys[0]}) if len(keys) == 1 else connection.execute(many, {"keys": keys})
    # Plain tuples from the driver: rows of SQLAlchemy would take longer than the query.
    cursor: Any = result.cursor
    yield from cursor
    result.close()


def _metrics(rows: Iterable[Any]) -> dict[int, dict[str, MetricSummary]]:
    found: dict[int, dict[str, MetricSummary]] = defaultdict(dict)
    nan = math.nan
    for key, name, count, last, last_step, smallest, largest in rows:
        found[key][name] = MetricSummary(
            count=count,
            last=nan if last is None else last,
            last_step=last_step,
            min=nan if smallest is None else smallest,
            max=nan if largest is None else largest,
        )
    return found


def _texts(rows: Iterable[Any]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for key, name, value in rows:
        found[key][name] = value
    return found


def _states(rows: Iterable[Any]) -> dict[int, list[tuple[str, int, str | None]]]:
    found: dict[int, list[tuple[str, int, str | None]]] = defaultdict(list)
    for key, *state in rows:
        found[key].append((state[0], state[1], state[2]))
    return found
