"""Runs as pandas frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from amlsdk import plugins
from amlsdk.records.logged import last_values
from amlsdk.records.runs import RunRecord

if TYPE_CHECKING:
    from amlsdk.resources.comparing import Comparison

__all__ = ["comparison_frame", "runs_frame"]

_ATTRIBUTES = ("name", "number", "status", "kind", "user", "created_at", "started_at", "ended_at", "error")


def runs_frame(records: Iterable[RunRecord]) -> Any:
    """A row a run, indexed by id."""
    pandas = plugins.require("pandas", extra="pandas")
    rows = [_row(record) for record in records]
    frame = pandas.DataFrame(rows, columns=_columns(rows))
    return frame.set_index("id")


def _row(record: RunRecord) -> dict[str, Any]:
    row: dict[str, Any] = {"id": record.id}
    row |= {name: getattr(record, name) for name in _ATTRIBUTES}
    row |= {f"metrics.{name}": value for name, value in last_values(record.metrics).items()}
    row |= {f"params.{name}": value for name, value in record.params.items()}
    row |= {f"tags.{name}": value for name, value in record.tags.items()}
    return row


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    found = dict.fromkeys(name for row in rows for name in row)
    rest = sorted(name for name in found if "." in name)
    return ["id", *_ATTRIBUTES, *rest]


def comparison_frame(comparison: Comparison) -> Any:
    """A row a param or metric, a column a run."""
    pandas = plugins.require("pandas", extra="pandas")
    columns, rows = comparison.table()
    return pandas.DataFrame([row[1:] for row in rows], index=[row[0] for row in rows], columns=columns[1:])
