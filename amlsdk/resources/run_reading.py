"""What a run kept: metrics, params, files, snapshot, inputs, surroundings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amlsdk.operations.runs import GetRunContext, ListRunRows, ReadSeries
from amlsdk.records.runs import RunRecord, StateRecord
from amlsdk.records.series import unpack
from amlsdk.resources.paging import all_items
from amlsdk.resources.run_files import RunFiles
from amlsdk.resources.series import Series

if TYPE_CHECKING:
    from amlsdk.resources.client import Client
    from amlsdk.resources.inputs import RunInput
    from amlsdk.resources.snapshot import RunSnapshot

__all__ = ["RunReading"]


class RunReading:
    """Reads see everything that was logged before they were asked, by whichever process."""

    _client: Client

    @property
    def id(self) -> str:  # noqa: D102  # documented where it is defined
        raise NotImplementedError

    def _now(self) -> RunRecord:
        raise NotImplementedError

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric."""
        return {name: summary.last for name, summary in self._now().metrics.items()}

    @property
    def params(self) -> dict[str, str]:
        """The params as texts."""
        return dict(self._now().params)

    @property
    def tags(self) -> dict[str, str]:
        """The tags."""
        return dict(self._now().tags)

    @property
    def states(self) -> tuple[StateRecord, ...]:
        """Every state it was in, with its time and reason, oldest first."""
        from amlsdk.operations.runs import GetRun

        return self._client.send(GetRun(run_id=self.id)).states

    def series(self, name: str, *, max_points: int | None = None) -> Series:
        """Return all points of a metric.

        Args:
            name: Of the metric.
            max_points: At most about so many, the smallest and largest of equal stretches; for plots.

        Returns:
            Columns `.steps`, `.values` and `.times`, in the order of (step, time).

        Raises:
            NotFound: The run has no such metric; the message names those it has.
        """
        self._client.deliver(self.id)
        content = self._client.send(ReadSeries(run_id=self.id, name=name, max_points=max_points)).read()
        return Series(name, unpack(content))

    @property
    def outputs(self) -> RunFiles:
        """The files it kept below `outputs/`."""
        return RunFiles(self._client, self.id, prefix="outputs/")

    @property
    def files(self) -> RunFiles:
        """All files it kept: outputs, tables, images, source."""
        return RunFiles(self._client, self.id, prefix="")

    def table(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a logged table, or of one made by `log_row`; a list has one column, `value`.

        Raises:
            NotFound: The run has no such table.
        """
        from amlsdk.resources.tables import read_table

        self._client.deliver(self.id)
        rows = [dict(row.values) for row in all_items(self._client, ListRunRows(run_id=self.id, name=name))]
        return rows or read_table(self.files, name)

    @property
    def snapshot(self) -> RunSnapshot | None:
        """What a submitted run executed (`.digest`, `.files`, `.checkout(folder)`); None for interactive runs."""
        from amlsdk.resources.snapshot import RunSnapshot

        job = self._now().job
        return None if job is None else RunSnapshot(self._client, job.snapshot)

    @property
    def inputs(self) -> Mapping[str, RunInput]:
        """The data it read, by name; inside the run, each has the `.path` where it is."""
        from amlsdk.resources.inputs import inputs_of

        return inputs_of(self._client, self.id)

    @property
    def context(self) -> dict[str, Any]:
        """What surrounded it, by topic: `command`, `python`, `packages`, `git`, `machine`, `notes`."""
        self._client.deliver(self.id)
        return dict(self._client.send(GetRunContext(run_id=self.id)).values)

    @property
    def damaged_lines(self) -> tuple[str, ...]:
        """Lines of its journals that were damaged and set aside, each named as `writer:offset reason`."""
        return self._client.send(GetRunContext(run_id=self.id)).bad_lines
