"""What a run logs and notices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from amlsdk.records.ids import is_id

__all__ = [
    "InputRecord",
    "JournalPosition",
    "MetricSummaries",
    "MetricSummary",
    "RowRecord",
    "RunContextRecord",
    "RunFileRecord",
    "last_values",
    "run_of_source",
]


@attrs.frozen(kw_only=True)
class MetricSummary:
    """A series of points in a nutshell.

    Args:
        count: How many points.
        last: Value of the last point by (step, time, writer, offset).
        last_step: Its step.
        min: Smallest value that is not NaN; NaN where all are.
        max: Largest value that is not NaN; NaN where all are.
    """

    count: int
    last: float
    last_step: int
    min: float
    max: float


class MetricSummaries(Mapping[str, MetricSummary]):
    """The summaries of a run's metrics, each made when it is looked at.

    A page of a search has ten thousand of them, of which few are looked at: making them all took half of its time.

    Args:
        names: Of the metrics, k of them.
        numbers: In columns of k: counts, last steps, last values, smallest and largest values.
    """

    __slots__ = ("_names", "_numbers")

    def __init__(self, names: Sequence[str] = (), numbers: Sequence[Any] = ()) -> None:
        self._names = names
        self._numbers = numbers

    def last_values(self) -> dict[str, float]:
        """Return the last value of each."""
        count = len(self._names)
        return dict(zip(self._names, self._numbers[2 * count : 3 * count], strict=True))

    def __getitem__(self, name: str) -> MetricSummary:
        try:
            place = self._names.index(name)
        except ValueError:
            raise KeyError(name) from None
        count, last_step, last, smallest, largest = self._numbers[place :: len(self._names)]
        return MetricSummary(count=count, last=last, last_step=last_step, min=smallest, max=largest)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr(dict(self))


def last_values(metrics: Mapping[str, MetricSummary]) -> dict[str, float]:
    """Return the last value of each metric by name."""
    if isinstance(metrics, MetricSummaries):
        return metrics.last_values()
    return {name: summary.last for name, summary in metrics.items()}


@attrs.frozen(kw_only=True)
class RunContextRecord:
    """What surrounded a run.

    Args:
        values: JSON by topic: `command`, `python`, `packages`, `git`, `machine`, `snapshot`, `notes`.
        bad_lines: Journal lines that were damaged and set aside, each named as `writer:offset`.
    """

    values: Mapping[str, Any]
    bad_lines: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class RunFileRecord:
    """A file that a run keeps.

    Args:
        path: Relative, with `/`: `outputs/...`, `tables/...`, `images/...`, `source/...`.
        kind: `output`, `table`, `list`, `confusion_matrix`, `image` or `source`.
        digest: SHA-256 of the content.
        size_bytes: Of the content.
        mode: As in `FileEntry`.
    """

    path: str
    kind: str
    digest: str
    size_bytes: int
    mode: str = "file"


@attrs.frozen(kw_only=True)
class RowRecord:
    """A row logged to a table.

    Args:
        values: JSON by column.
    """

    values: Mapping[str, Any]


def run_of_source(source: str) -> str | None:
    """Return the id of the run that the source of an input names, or None."""
    run_id = source.removeprefix("run:").partition("/")[0]
    return run_id if source.startswith("run:") and is_id(run_id) else None


@attrs.frozen(kw_only=True)
class InputRecord:
    """Data that a run read.

    Args:
        name: Unique in the run.
        digest: SHA-256 of the content, or FileSet digest.
        kind: `file`, `folder` or `frame`.
        source: Where it came from: a path, a URL, or `run:<id>/<path>`.
        size_bytes: Of the content.
        schema: JSON: columns and types, where it is tabular.
        profile: JSON: counts, types, ranges, quantiles, categories, missing; where it is tabular.
    """

    name: str
    digest: str
    kind: str
    source: str
    size_bytes: int = 0
    schema: Any = None
    profile: Any = None

    @property
    def source_run_id(self) -> str | None:
        """Id of the run that put it out, where the source names one."""
        return run_of_source(self.source)


@attrs.frozen(kw_only=True)
class JournalPosition:
    """How far a journal is ingested.

    Args:
        offset: Bytes ingested; the next append begins there.
        accepted: Whether this append was taken; where not, send again from `offset`.
    """

    offset: int
    accepted: bool
