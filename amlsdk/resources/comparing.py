"""Comparing runs: params, metrics, code and packages side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.records.logged import last_values
from amlsdk.resources.differing import Differences, differing

if TYPE_CHECKING:
    from amlsdk.filesets.compare import FileSetDiff
    from amlsdk.records.filesets import FileSetRecord
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
        return differing(self.params)

    @property
    def differing_metrics(self) -> dict[str, tuple[float | None, ...]]:
        """The metrics whose last values are not the same in all runs; what `system/` measures of a machine aside."""
        return differing(self.metrics)

    def packages(self) -> dict[str, tuple[str | None, ...]]:
        """The packages whose versions are not the same in all runs; reads each run's context."""
        found = [dict(run.context.get("packages") or {}) for run in self.runs]
        return differing(_rows(found))

    def inputs(self) -> dict[str, tuple[str | None, ...]]:
        """The inputs whose digests are not the same in all runs."""
        found = [{name: data.digest for name, data in run.inputs.items()} for run in self.runs]
        return differing(_rows(found))

    def outputs(self) -> FileSetDiff:
        """Which files below `outputs/` differ between the first two runs, by content."""
        from amlsdk.filesets.compare import compare

        return compare(*(_tree(run, "output") for run in self.runs[:2]))

    def differences(self) -> Differences:
        """Return all that differs between the first two runs: what one looks at after `resubmit`."""
        from amlsdk.filesets.compare import compare

        first, second = self.statuses[:2]
        return Differences(
            status=(first, second) if first != second else None,
            params=self.differing_params,
            metrics=self.differing_metrics,
            inputs=self.inputs(),
            packages=self.packages(),
            code=compare(*(_code(run) for run in self.runs[:2])),
            outputs=self.outputs(),
        )

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

        first, second = self.runs[:2]
        return text_diff(_code(first), _code(second), first._client.blobs, limit_bytes=_DIFF_BYTES)  # noqa: SLF001

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
        raise InvalidArgument(f"compare: two or more runs are compared, not {len(runs)}")
    records = [run._now() for run in runs]  # noqa: SLF001  # one reading for all columns
    return Comparison(
        runs=tuple(runs),
        params=_rows([record.params for record in records]),
        metrics=_rows([last_values(record.metrics) for record in records]),
        statuses=tuple(record.status for record in records),
    )


def _code(run: Run) -> FileSetRecord:
    return run.snapshot.record if run.snapshot is not None else _tree(run, "source")


def _tree(run: Run, kind: str) -> FileSetRecord:
    from amlsdk.filesets.listing import record_of
    from amlsdk.resources.run_files import entry_of

    return record_of([entry_of(file, "source" if kind == "source" else "") for file in run.files if file.kind == kind])


def _rows(columns: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    names = dict.fromkeys(name for column in columns for name in sorted(column))
    return {name: tuple(column.get(name) for column in columns) for name in names}
