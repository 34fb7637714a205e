"""How runs look: a table in a terminal, a table with small lines of the metrics in a notebook."""

from __future__ import annotations

import datetime as dt
import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from amlsdk.operations.runs import ReadSeries
from amlsdk.records.runs import RunRecord
from amlsdk.records.series import unpack
from amlsdk.resources.values.sparklines import sparkline_svg
from amlsdk.resources.values.text_views import table_html, table_text

if TYPE_CHECKING:
    from amlsdk.resources.client import Client
    from amlsdk.resources.run import Run

__all__ = ["duration_text", "run_html", "runs_html", "runs_table", "runs_text"]

_METRICS = 6
_PARAMS = 4
_POINTS = 200


def runs_text(records: Sequence[RunRecord]) -> str:
    """A table of runs for a terminal."""
    return table_text(*runs_table(records)) if records else "no runs"


def runs_html(records: Sequence[RunRecord], client: Client) -> str:
    """A table of runs for a notebook, with a line of each metric."""
    if not records:
        return "<p>no runs</p>"
    columns, rows = runs_table(records)
    metrics = _names(records, "metrics", _METRICS)
    first = len(columns) - len(metrics)
    for record, row in zip(records, rows, strict=True):
        for place, name in enumerate(metrics, first):
            row[place] = _Cell(record, name, row[place], client)
    return table_html(columns, rows)


class _Lines:
    """A text of several lines, as an error is, that scrolls where it is long."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_html_(self) -> str:
        style = "margin:0;max-height:16em;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere"
        return f'<pre style="{style};background:none;color:inherit">{html.escape(self._text)}</pre>'


class _Cell:
    """A metric's last value with its line."""

    def __init__(self, record: RunRecord, name: str, value: Any, client: Client) -> None:
        self._value = value
        self._svg = ""
        if name in record.metrics and record.metrics[name].count > 1:
            self._svg = _line(client, record.id, name)

    def _repr_html_(self) -> str:
        shown = html.escape(_shown(self._value))
        return f"{shown}<br/>{self._svg}" if self._svg else shown

    def __str__(self) -> str:
        return _shown(self._value)


def _line(client: Client, run_id: str, name: str, *, width: int = 120, height: int = 24) -> str:
    content = client.send(ReadSeries(run_id=run_id, name=name, max_points=_POINTS)).read()
    series = unpack(content)
    return sparkline_svg(series.steps, series.values, width=width, height=height)


def runs_table(records: Sequence[RunRecord]) -> tuple[list[str], list[list[Any]]]:
    """Return columns and rows: name, status, times, and what the runs have of params and metrics."""
    params, metrics = _names(records, "params", _PARAMS), _names(records, "metrics", _METRICS)
    columns = ["name", "status", "started", "duration", *params, *metrics]
    rows = [
        [
            record.name,
            record.status,
            _moment(record.started_at or record.created_at),
            duration_text(record),
            *(record.params.get(name, "") for name in params),
            *(_shown(record.metrics[name].last) if name in record.metrics else "" for name in metrics),
        ]
        for record in records
    ]
    return columns, rows


def _names(records: Sequence[RunRecord], kind: str, most: int) -> list[str]:
    found = dict.fromkeys(name for record in records for name in sorted(getattr(record, kind)))
    # What the user logged comes before what was sampled.
    return sorted(found, key=lambda name: name.startswith("system/"))[:most]


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else str(value)
    return str(value)


def _moment(time: dt.datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration_text(record: RunRecord) -> str:
    """Return how long a run took, or has taken until now; nothing before it began."""
    if record.started_at is None:
        return ""
    seconds = ((record.ended_at or dt.datetime.now(dt.timezone.utc)) - record.started_at).total_seconds()
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"  # noqa: PLR2004


def run_html(run: Run) -> str:
    """One run for a notebook."""
    record = run._now()  # noqa: SLF001  # as it is now
    facts: list[list[Any]] = [["status", record.status], ["id", record.id], ["duration", duration_text(record)]]
    facts += [["error", _Lines(record.error)]] if record.error else []
    facts += [[f"params.{name}", value] for name, value in sorted(record.params.items())]
    facts += [[f"tags.{name}", value] for name, value in sorted(record.tags.items())]
    for name in _names([record], "metrics", len(record.metrics)):
        facts.append([f"metrics.{name}", _Cell(record, name, record.metrics[name].last, run._client)])  # noqa: SLF001
    return table_html(["run", record.name], facts)
