"""Operations on runs and on what they logged."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.jobs import JobSpec, OutputPosition, ProcessIdentity
from amlsdk.records.logged import InputRecord, JournalPosition, RowRecord, RunContextRecord, RunFileRecord
from amlsdk.records.pages import Ack, Page
from amlsdk.records.runs import RunRecord
from amlsdk.records.streams import ByteStream

__all__ = [
    "AppendJournal",
    "AppendOutput",
    "CreateRun",
    "DeleteRun",
    "GetRun",
    "GetRunContext",
    "ListRunFiles",
    "ListRunInputs",
    "ListRunRows",
    "ReadOutput",
    "ReadSeries",
    "ResumeRun",
    "SearchRuns",
]


@operation("POST", "/v1/runs", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class CreateRun(Request[RunRecord]):
    """Record a run: interactive and Running with its `owner`, or submitted and Queued with its `job`."""

    id: str
    experiment_id: str
    name: str | None = None
    parent_id: str | None = None
    tags: Mapping[str, str] = attrs.field(factory=dict)
    params: Mapping[str, str] = attrs.field(factory=dict)
    owner: ProcessIdentity | None = None
    job: JobSpec | None = None


@operation("POST", "/v1/runs/{run_id}/resume", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class ResumeRun(Request[RunRecord]):
    """Let an interactive run go on under a new owner: Running again; a Conflict while its present owner lives."""

    run_id: str
    owner: ProcessIdentity


@operation("GET", "/v1/runs/{run_id}", role=Role.READER)
@attrs.frozen(kw_only=True)
class GetRun(Request[RunRecord]):
    """Read a run with its metrics, params, tags and states; the reply is held back up to `wait_s` for its end."""

    run_id: str
    wait_s: float = 0.0


@operation("GET", "/v1/runs/{run_id}/context", role=Role.READER)
@attrs.frozen(kw_only=True)
class GetRunContext(Request[RunContextRecord]):
    """Read what surrounded a run: command, code, packages, machine."""

    run_id: str


@operation("GET", "/v1/runs", role=Role.READER)
@attrs.frozen(kw_only=True)
class SearchRuns(Request[Page[RunRecord]]):
    """Find runs by the filter language, newest first unless ordered otherwise."""

    experiment_id: str | None = None
    project_id: str | None = None
    parent_id: str | None = None
    filter: str | None = None
    order_by: str | None = None
    limit: int = 100
    after: str | None = None


@operation("DELETE", "/v1/runs/{run_id}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class DeleteRun(Request[Ack]):
    """Delete an ended run; a Conflict that names them while models or other runs depend on it."""

    run_id: str


@operation("POST", "/v1/runs/{run_id}/journals/{writer}", role=Role.CONTRIBUTOR, most_bytes=16 << 20)
@attrs.frozen(kw_only=True)
class AppendJournal(Request[JournalPosition]):
    """Apply whole lines of a journal from `offset` on, where `digest` is that of all bytes before.

    Lines and offset move in one transaction. Another offset than the one wanted is answered with that one and
    nothing is applied; another prefix is a Conflict.
    """

    run_id: str
    writer: str
    offset: int
    digest: str
    content: ByteStream


@operation("POST", "/v1/runs/{run_id}/output", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class AppendOutput(Request[OutputPosition]):
    """Append bytes to a run's output; bytes before the present end are skipped, a gap is answered with the end."""

    run_id: str
    offset: int
    content: ByteStream


@operation("GET", "/v1/runs/{run_id}/output", role=Role.READER)
@attrs.frozen(kw_only=True)
class ReadOutput(Request[ByteStream]):
    """Read a run's output from byte `after` on, at most `limit_bytes`; held back up to `wait_s` while there is none."""

    run_id: str
    after: int = 0
    limit_bytes: int = 4_194_304
    wait_s: float = 0.0


@operation("GET", "/v1/runs/{run_id}/series", role=Role.READER)
@attrs.frozen(kw_only=True)
class ReadSeries(Request[ByteStream]):
    """Read the points of a metric, in order, as `records.series` packs them.

    With `max_points`, at most about so many: those with the smallest and largest value of equal stretches.
    """

    run_id: str
    name: str
    max_points: int | None = None


@operation("GET", "/v1/runs/{run_id}/files", role=Role.READER)
@attrs.frozen(kw_only=True)
class ListRunFiles(Request[Page[RunFileRecord]]):
    """List the files a run keeps, by path, or those below a prefix."""

    run_id: str
    prefix: str = ""
    limit: int = 1000
    after: str | None = None


@operation("GET", "/v1/runs/{run_id}/rows", role=Role.READER)
@attrs.frozen(kw_only=True)
class ListRunRows(Request[Page[RowRecord]]):
    """List the rows a run logged to a table, in order; or of all tables where `name` is None."""

    run_id: str
    name: str | None = None
    limit: int = 1000
    after: str | None = None


@operation("GET", "/v1/runs/{run_id}/inputs", role=Role.READER)
@attrs.frozen(kw_only=True)
class ListRunInputs(Request[Page[InputRecord]]):
    """List the data a run read, by name."""

    run_id: str
    limit: int = 1000
    after: str | None = None
