"""The summary of a run: all its metrics, params and tags in one row.

`texts` is JSON: `{"metrics": [names], "params": {...}, "tags": {...}}`. `numbers` has what belongs to the k names of
metrics, in little-endian columns of k: count and last step (64-bit integers), last, min and max (64-bit floats).
"""

from __future__ import annotations

import functools
import itertools
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import orjson
from sqlalchemy import Table, bindparam, select
from sqlalchemy.engine import Connection

from amlsdk.records.logged import MetricSummaries
from amlsdk.storage.catalogue.for_runs import ForRuns
from amlsdk.storage.catalogue.schema import metric, param, run_summary, tag
from amlsdk.storage.catalogue.upserting import upsert

__all__ = ["Summary", "refresh", "summaries_of"]


@attrs.frozen
class Summary:
    """What a run shows of what it logged, by name.

    Args:
        metrics: Summaries of series.
        params: Texts.
        tags: Texts.
    """

    metrics: MetricSummaries = attrs.field(factory=MetricSummaries)
    params: dict[str, str] = attrs.field(factory=dict)
    tags: dict[str, str] = attrs.field(factory=dict)


def _texts(table: Table) -> Any:
    return select(table.c.name, table.c.value).where(table.c.run_pk == bindparam("run")).order_by(table.c.name)


_ROWS = ForRuns(select(run_summary.c.run_pk, run_summary.c.texts, run_summary.c.numbers), run_summary.c.run_pk)
_METRICS = (
    select(metric.c.name, metric.c.count, metric.c.last_step, metric.c.last, metric.c.min, metric.c.max)
    .where(metric.c.run_pk == bindparam("run"))
    .order_by(metric.c.name)
)
_PARAMS, _TAGS = _texts(param), _texts(tag)


def refresh(connection: Connection, run_pk: int) -> None:
    """Write a run's summary anew, after its metrics, params or tags have changed in the same transaction."""
    asked = {"run": run_pk}
    metrics = connection.execute(_METRICS, asked).all()
    texts = {
        "metrics": [row.name for row in metrics],
        "params": {row.name: row.value for row in connection.execute(_PARAMS, asked)},
        "tags": {row.name: row.value for row in connection.execute(_TAGS, asked)},
    }
    columns = zip(*[row[1:] for row in metrics], strict=True)
    numbers = _packed(len(metrics)).pack(*map(_written, itertools.chain(*columns)))
    row = {"run_pk": run_pk, "texts": orjson.dumps(texts).decode(), "numbers": numbers}
    connection.execute(upsert(connection, run_summary), row)


def summaries_of(connection: Connection, keys: Sequence[int]) -> dict[int, Summary]:
    """Return the summaries of runs by their numbers; those of runs that have logged nothing are empty.

    Args:
        connection: To read with.
        keys: At least one.
    """
    found = {key: _read(texts, numbers) for key, texts, numbers in _ROWS.rows(connection, keys)}
    return {key: found.get(key) or Summary() for key in keys}


def _read(texts: str, numbers: bytes) -> Summary:
    document: Mapping[str, Any] = orjson.loads(texts)
    names = document["metrics"]
    return Summary(MetricSummaries(names, _packed(len(names)).unpack(numbers)), document["params"], document["tags"])


@functools.lru_cache(maxsize=256)
def _packed(names: int) -> struct.Struct:
    return struct.Struct(f"<{2 * names}q{3 * names}d")


def _written(value: Any) -> Any:
    # A database has no NaN that all others understand.
    return math.nan if value is None else value
