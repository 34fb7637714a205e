"""Comparing runs: params, metrics, code and packages side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from amlsdk.errors import InvalidArgument

if TYPE_CHECKING:
    from amlsdk.filesets.compare import FileSetDiff
    from amlsdk.resources.run import Run

__all__ = ["Comparison", "compare_runs"]

_DIFF_BYTES = 256 * 1024


@attrs.frozen(kw_only=True)
class Comparison:
    """Runs side by side.

    Args:
        runs: In the order given.
        params: A row a param: its text in each run, None where it is missing.
        metrics: A row a metric: its last value in each run, None where it is missing.
        statuses: The state of each run.
    """

    runs: tuple[Run, ...]
    params: Mapping[str, tuple[str | None, ...]]
    metrics: Mapping[str, tuple[float | None, ...]]
    statuses: tuple[str, ...]

    @property
    def differing_params(self) -> dict[str, tuple[str | None, ...]]:
        """The params that are not the same in all runs."""
        return {name: row for name, row in self.params.items() if len(set(row)) > 1}

    def packages(self) -> dict[str, tuple[str | None, ...]]:
        """The packages whose versions are not the same in all runs; reads each run's context."""
        found = [dict(run.context.get("packages") or {}) for run in self.runs]
        return {name: row for name, row in _rows(found).items() if len(set(row)) > 1}

    def files(self) -> FileSetDiff | None:
        """Which files of the snapshots differ between the first two runs; None where one was not submitted."""
        from amlsdk.filesets.compare import compare

        old, new = self.runs[0].snapshot, self.runs[1].snapshot
        return None if old is None or new is None else compare(old.record, new.record)

    def code(self) -> str:
        """Return what changed in the code from the first run to the second: a unified diff of at most 256 KiB.

        Of submitted runs the snapshots are compared, of interactive ones the source they kept.
        """
        from amlsdk.filesets.compare import text_diff
        from amlsdk.filesets.listing import record_of
        from amlsdk.resources.run_files import _entry

        first, second = self.runs[0], self.runs[1]
        trees = [
            run.snapshot.record
            if run.snapshot is not None
            else record_of([_entry(file, "source") for file in run.files if file.kind == "source"])
            for run in (first, second)
        ]
        return text_diff(trees[0], trees[1], first._client.blobs, limit_bytes=_DIFF_BYTES)  # noqa: SLF001

    def to_pandas(self) -> Any:
        """Return a frame: a row a param or metric, a column a run.

        Raises:
            MissingDependency: pandas is not installed.
        """
        from amlsdk.resources.frames import comparison_frame

        return comparison_frame(self)

    def table(self) -> tuple[list[str], list[list[Any]]]:
        """Return columns and rows: first the status, then params, then metrics."""
        columns = ["", *(run.name for run in self.runs)]
        rows: list[list[Any]] = [["status", *self.statuses]]
        rows += [[f"params.{name}", *row] for name, row in self.params.items()]
        rows += [[f"metrics.{name}", *row] for name, row in self.metrics.items()]
        return columns, rows

    def __repr__(self) -> str:
        from amlsdk.resources.values.text_views import table_text

        return table_text(*self.table())

    def _repr_html_(self) -> str:
        from amlsdk.resources.values.text_views import table_html

        return table_html(*self.table())


def compare_runs(runs: Sequence[Run]) -> Comparison:
    """Put runs side by side.

    Raises:
        InvalidArgument: Fewer than two.
    """
    if len(runs) < 2:  # noqa: PLR2004
        raise InvalidArgument(f"two or more runs are compared, not {len(runs)}")
    records = [run._now() for run in runs]  # noqa: SLF001  # one reading for all columns
    return Comparison(
        runs=tuple(runs),
        params=_rows([record.params for record in records]),
        metrics=_rows([{name: value.last for name, value in record.metrics.items()} for record in records]),
        statuses=tuple(record.status for record in records),
    )


def _rows(columns: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    names = dict.fromkeys(name for column in columns for name in sorted(column))
    return {name: tuple(column.get(name) for column in columns) for name in names}
