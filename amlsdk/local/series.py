"""Points of a metric, in order."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.local.columns import Columns, decode, rises
from amlsdk.local.finding import find_run
from amlsdk.local.handling import Local, handles
from amlsdk.local.ingest import ingest_run
from amlsdk.local.ordering import in_order
from amlsdk.local.thinning import thinned
from amlsdk.operations.runs import ReadSeries
from amlsdk.records.series import SeriesRecord, pack
from amlsdk.records.streams import ByteStream
from amlsdk.service import Principal
from amlsdk.storage.catalogue.schema import metric, series_chunk

__all__ = ["read_series"]

_NAMED = 8


@handles(ReadSeries)
def read_series(local: Local, _: Principal, request: ReadSeries) -> ByteStream:
    """Read the points of a metric, all or some that look alike."""
    if request.max_points is not None and request.max_points < 1:
        raise InvalidArgument(f"max_points is 1 or more, not {request.max_points}; None gives all points")
    ingest_run(local, request.run_id)
    columns = _columns(_chunks(local, request))
    if request.max_points is not None:
        columns = thinned(columns, request.max_points)
    record = SeriesRecord(steps=columns.steps, times_us=columns.times_us, values=columns.values)
    return pack(record)


def _chunks(local: Local, request: ReadSeries) -> Sequence[Any]:
    with local.database.read() as connection:
        run = find_run(connection, request.run_id)
        rows = connection.execute(
            select(series_chunk.c.count, series_chunk.c.data)
            .where(series_chunk.c.run_pk == run.pk, series_chunk.c.name == request.name)
            .order_by(series_chunk.c.writer, series_chunk.c.first_offset)
        ).all()
        if not rows:
            names = connection.execute(select(metric.c.name).where(metric.c.run_pk == run.pk).limit(_NAMED)).scalars()
            known = ", ".join(map(repr, names)) or "none"
            raise NotFound(f"run {run.id} has no metric {request.name!r:.260}; it has {known}")
    return rows


def _columns(rows: Sequence[Any]) -> Columns:
    steps, times, values = array("q"), array("q"), array("d")
    rising = True
    for row in rows:
        chunk = decode(row.data, row.count)
        rising = rising and rises(row.data) and (not steps or steps[-1] < chunk.steps[0])
        steps.extend(chunk.steps)
        times.extend(chunk.times_us)
        values.extend(chunk.values)
    columns = Columns(steps=steps, times_us=times, values=values)
    return columns if rising else in_order(columns)
