"""What a run kept: metrics, params, files, snapshot, inputs, surroundings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amlsdk.errors import NotFound
from amlsdk.operations.runs import GetRun, GetRunContext, ListRunRows, ReadSeries
from amlsdk.records.logged import last_values
from amlsdk.records.names import check_key
from amlsdk.records.runs import RunRecord, StateRecord
from amlsdk.records.series import unpack
from amlsdk.resources.arguments import check_whole
from amlsdk.resources.paging import all_items
from amlsdk.resources.run_files import RunFiles
from amlsdk.resources.series import Series

if TYPE_CHECKING:
    from amlsdk.resources.client import Client
    from amlsdk.resources.inputs import RunInput
    from amlsdk.resources.run import Run
    from amlsdk.resources.snapshot import RunSnapshot

__all__ = ["RESUBMITTED_FROM", "RunReading"]

# The tag of a run that `resubmit` made.
RESUBMITTED_FROM = "resubmitted_from"


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
        return last_values(self._now().metrics)

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
        check_key(name, what="metric")
        check_whole(max_points, what="series(max_points=...)")
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
            NotFound: The run has no such table; the message names those that were logged whole.
        """
        from amlsdk.resources.tables import read_table

        check_key(name, what="table")
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

    def lineage(self) -> dict[str, Any]:
        """Return what it came from, as JSON: `run`, `snapshot` and `inputs`, each with its id or digest.

        An input that another run put out has that run's own lineage under `from`, and so on back to the first data.
        """
        from amlsdk.resources.lineage import lineage_of_run

        self._client.deliver(self.id)
        return lineage_of_run(self._client, self.id)

    @property
    def original(self) -> Run | None:
        """The run that this one repeats, where it was made by `resubmit`; None elsewhere, or where that was deleted.

        `run.compare(run.original).differences()` says what became different.
        """
        from amlsdk.resources.run import Run

        run_id = self._now().tags.get(RESUBMITTED_FROM)
        try:
            return None if run_id is None else Run(self._client, self._client.send(GetRun(run_id=run_id)))
        except NotFound:
            return None

    @property
    def context(self) -> dict[str, Any]:
        """What surrounded it, by topic: `command`, `python`, `packages`, `git`, `machine`, `notes`."""
        self._client.deliver(self.id)
        return dict(self._client.send(GetRunContext(run_id=self.id)).values)

    @property
    def damaged_lines(self) -> tuple[str, ...]:
        """Lines of its journals that were damaged and set aside, each named as `writer:offset reason`."""
        return self._client.send(GetRunContext(run_id=self.id)).bad_lines
