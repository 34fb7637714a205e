"""What a run logs and notices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = [
    "InputRecord",
    "JournalPosition",
    "MetricSummary",
    "RowRecord",
    "RunContextRecord",
    "RunFileRecord",
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


@attrs.frozen(kw_only=True)
class JournalPosition:
    """How far a journal is ingested.

    Args:
        offset: Bytes ingested; the next append begins there.
        accepted: Whether this append was taken; where not, send again from `offset`.
    """

    offset: int
    accepted: bool
