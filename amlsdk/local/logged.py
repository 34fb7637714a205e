"""What a run logged beside points: its context, files, rows and inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson
from sqlalchemy import Select, func, select

from amlsdk.local.finding import find_run
from amlsdk.local.handling import Local, handles
from amlsdk.local.ingest import ingest_run
from amlsdk.local.pages import page_of
from amlsdk.operations.runs import GetRunContext, ListRunFiles, ListRunInputs, ListRunRows
from amlsdk.records.logged import InputRecord, RowRecord, RunContextRecord, RunFileRecord
from amlsdk.records.pages import Page
from amlsdk.service import Principal
from amlsdk.storage.catalogue.schema import journal_fault, run_context, run_file, run_input, run_row

__all__ = ["get_run_context", "list_run_files", "list_run_inputs", "list_run_rows"]

T = TypeVar("T")


@handles(GetRunContext)
def get_run_context(local: Local, _: Principal, request: GetRunContext) -> RunContextRecord:
    """Read what surrounded a run."""
    ingest_run(local, request.run_id)
    topics = select(run_context.c.topic, run_context.c.value).order_by(run_context.c.topic)
    faults = select(journal_fault.c.writer, journal_fault.c.offset)
    with local.database.read() as connection:
        run = find_run(connection, request.run_id)
        values = connection.execute(topics.where(run_context.c.run_pk == run.pk)).all()
        bad = connection.execute(faults.where(journal_fault.c.run_pk == run.pk)).all()
    return RunContextRecord(
        values={topic: orjson.loads(value) for topic, value in values},
        bad_lines=tuple(f"{writer}:{offset}" for writer, offset in sorted(map(tuple, bad))),
    )


@handles(ListRunFiles)
def list_run_files(local: Local, _: Principal, request: ListRunFiles) -> Page[RunFileRecord]:
    """List the files a run keeps."""
    below = []
    if request.prefix:
        # Not LIKE: in SQLite it takes capital letters for small ones.
        below = [func.substr(run_file.c.path, 1, len(request.prefix)) == request.prefix]
    return _page(local, request, select(run_file).where(*below), keys=[run_file.c.path], record=_file)


@handles(ListRunRows)
def list_run_rows(local: Local, _: Principal, request: ListRunRows) -> Page[RowRecord]:
    """List the rows a run logged."""
    of = [] if request.name is None else [run_row.c.name == request.name]
    keys = [run_row.c[key] for key in ("name", "time", "writer", "offset")]
    return _page(local, request, select(run_row).where(*of), keys=keys, record=_row)


@handles(ListRunInputs)
def list_run_inputs(local: Local, _: Principal, request: ListRunInputs) -> Page[InputRecord]:
    """List the data a run read."""
    return _page(local, request, select(run_input), keys=[run_input.c.name], record=_input)


def _page(
    local: Local,
    request: ListRunFiles | ListRunRows | ListRunInputs,
    statement: Select[Any],
    *,
    keys: Sequence[Any],
    record: Callable[[Any], T],
) -> Page[T]:
    ingest_run(local, request.run_id)
    with local.database.read() as connection:
        run = find_run(connection, request.run_id)
        mine = statement.where(keys[0].table.c.run_pk == run.pk)
        return page_of(connection, mine, keys, request, lambda rows: [record(row) for row in rows])


def _file(row: Any) -> RunFileRecord:
    return RunFileRecord(path=row.path, kind=row.kind, digest=row.digest, size_bytes=row.size_bytes, mode=row.mode)


def _row(row: Any) -> RowRecord:
    return RowRecord(values=orjson.loads(row.values))


def _input(row: Any) -> InputRecord:
    return InputRecord(
        name=row.name,
        digest=row.digest,
        kind=row.kind,
        source=row.source,
        size_bytes=row.size_bytes,
        schema=_json(row.schema),
        profile=_json(row.profile),
    )


def _json(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
