"""Points of metrics from a journal: into chunks of their series, and into each series' summary."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select

from amlsdk.journal.lines import Points
from amlsdk.local.applying import Application
from amlsdk.local.columns import Columns, decode, encode
from amlsdk.storage.catalogue.schema import metric, series_chunk
from amlsdk.storage.catalogue.upserting import upsert

__all__ = ["apply_points"]

# A chunk that is smaller grows by what comes next, so that a run read after every point leaves few chunks.
_FULL = 4096
_NAMES_AT_ONCE = 500
_NAMES: Any = bindparam("names", expanding=True)
_OPEN_CHUNKS = select(
    series_chunk.c.name, series_chunk.c.first_offset, series_chunk.c.count, series_chunk.c.data
).where(
    series_chunk.c.run_pk == bindparam("run"),
    series_chunk.c.writer == bindparam("writer"),
    series_chunk.c.count < _FULL,
    series_chunk.c.name.in_(_NAMES),
)
_SUMMARIES = select(metric).where(metric.c.run_pk == bindparam("run"), metric.c.name.in_(_NAMES))


def apply_points(to: Application, series: Mapping[str, Points]) -> None:
    """Keep points by name, after those that are kept already."""
    for names in _pieces(list(series)):
        piece = {name: series[name] for name in names}
        _extend_chunks(to, piece)
        _extend_summaries(to, piece)


def _pieces(names: Sequence[str]) -> Iterator[Sequence[str]]:
    # SQLite takes a limited number of parameters.
    for start in range(0, len(names), _NAMES_AT_ONCE):
        yield names[start : start + _NAMES_AT_ONCE]


def _extend_chunks(to: Application, series: Mapping[str, Points]) -> None:
    asked = {"run": to.run.pk, "writer": to.writer, "names": list(series)}
    begun = {row.name: row for row in to.connection.execute(_OPEN_CHUNKS, asked)}
    rows = [_chunk(name, points, begun.get(name)) for name, points in series.items()]
    to.connection.execute(
        upsert(to.connection, series_chunk), [{"run_pk": to.run.pk, "writer": to.writer, **row} for row in rows]
    )


def _chunk(name: str, points: Points, begun: Any) -> dict[str, Any]:
    steps, times, values, offsets = points
    first_offset = offsets[0]
    if begun is not None:
        first_offset, kept = begun.first_offset, decode(begun.data, begun.count)
        steps, times, values = kept.steps + steps, kept.times_us + times, kept.values + values
    data = encode(Columns(steps=steps, times_us=times, values=values))
    return {"name": name, "first_offset": first_offset, "count": len(values), "data": data}


def _extend_summaries(to: Application, series: Mapping[str, Points]) -> None:
    asked = {"run": to.run.pk, "names": list(series)}
    kept = {row.name: row for row in to.connection.execute(_SUMMARIES, asked)}
    rows = [_summary(to, name, points) for name, points in series.items()]
    rows = [_joined(kept[row["name"]], row) if row["name"] in kept else row for row in rows]
    to.connection.execute(upsert(to.connection, metric), rows)


def _summary(to: Application, name: str, points: Points) -> dict[str, Any]:
    steps, times, values, offsets = points
    place = _last(steps, times)
    numbers = _without_nan(values)
    return {
        "run_pk": to.run.pk,
        "name": name,
        "experiment_id": to.run.experiment_id,
        "count": len(values),
        "last": _stored(values[place]),
        "min": min(numbers, default=None),
        "max": max(numbers, default=None),
        "last_step": steps[place],
        "last_time": times[place],
        "last_writer": to.writer,
        "last_offset": offsets[place],
    }


def _last(steps: array[int], times: array[int]) -> int:
    """Return where the point stands that comes last by (step, time, offset)."""
    highest = max(steps)
    if steps[-1] == highest and steps.count(highest) == 1:
        return len(steps) - 1
    return max((time, place) for place, (step, time) in enumerate(zip(steps, times, strict=True)) if step == highest)[1]


def _without_nan(values: array[float]) -> Sequence[float]:
    # A sum is NaN where a value is (or infinities meet), and costs a fraction of looking at each.
    return [value for value in values if value == value] if math.isnan(sum(values)) else values  # noqa: PLR0124  # NaN


def _stored(value: float) -> float | None:
    return None if math.isnan(value) else value


def _joined(kept: Any, new: dict[str, Any]) -> dict[str, Any]:
    order = ("last_step", "last_time", "last_writer", "last_offset")
    later = tuple(new[key] for key in order) > tuple(getattr(kept, key) for key in order)
    last = {} if later else {key: getattr(kept, key) for key in ("last", *order)}
    smallest = [value for value in (kept.min, new["min"]) if value is not None]
    largest = [value for value in (kept.max, new["max"]) if value is not None]
    extremes = {"min": min(smallest, default=None), "max": max(largest, default=None)}
    return {**new, **last, **extremes, "count": kept.count + new["count"]}
