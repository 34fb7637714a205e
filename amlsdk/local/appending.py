"""The one way of a journal's bytes into the catalogue: lines and offset move in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from amlsdk.errors import Conflict
from amlsdk.journal.entries import Entry
from amlsdk.journal.lines import Batch, parse_batch
from amlsdk.local.applying import Application
from amlsdk.local.applying_facts import apply_context, apply_files, apply_inputs, apply_notes, apply_rows
from amlsdk.local.applying_points import apply_points
from amlsdk.local.applying_status import apply_status
from amlsdk.local.applying_texts import apply_params, apply_tags
from amlsdk.local.finding import find_run
from amlsdk.local.handling import Local
from amlsdk.local.positions import Position, move, position_of
from amlsdk.records.logged import JournalPosition
from amlsdk.storage.catalogue.summaries import refresh

__all__ = ["TORN", "append"]

TORN = "the line was cut short when its process was killed or its disk was full"

_APPLY: Mapping[str, Callable[[Application, Iterable[Entry]], None]] = {
    "param": apply_params,
    "tag": apply_tags,
    "row": apply_rows,
    "file": apply_files,
    "input": apply_inputs,
    "context": apply_context,
    "note": apply_notes,
    "status": apply_status,
}
# What a run's summary shows beside its metrics.
_SUMMED = {"param", "tag"}


def append(
    local: Local, run_id: str, *, writer: str, offset: int, data: bytes, digest: str | None = None
) -> JournalPosition:
    """Apply the whole lines of a piece of a journal, if it begins where the catalogue stands.

    Args:
        local: The workspace.
        run_id: Whose journal it is.
        writer: Of the journal.
        offset: Where the piece begins.
        data: The piece; bytes after the last newline are left for the next one.
        digest: Of all bytes before `offset`; None where the file itself was read.

    Raises:
        NotFound: There is no such run.
        Conflict: The catalogue has other bytes before `offset`.
    """
    with local.database.read() as connection:
        before = position_of(connection, find_run(connection, run_id).pk, writer)
    if before.offset != offset:
        return JournalPosition(offset=before.offset, accepted=False)
    if digest not in (None, before.digest().hexdigest()):
        raise Conflict(
            f"the journal {writer!r} of run {run_id} has other bytes before {offset} than were sent earlier: "
            "it was changed, or mixed up with another; nothing was applied"
        )
    if not data:
        return JournalPosition(offset=offset, accepted=True)
    # Parsed before the transaction: whoever writes the catalogue holds up everybody else who does.
    batch = parse_batch(data, first_offset=offset)
    if not batch.used:
        batch.bad = [(offset, TORN)]
    return _apply(local, run_id, writer=writer, before=before, batch=batch, data=data)


def _apply(local: Local, run_id: str, *, writer: str, before: Position, batch: Batch, data: bytes) -> JournalPosition:
    digest = before.digest()
    digest.update(data[: batch.used])
    after = Position(offset=before.offset + batch.used, state=digest.state(), ended=before.ended or batch.ended)
    with local.database.write() as connection:
        run = find_run(connection, run_id)
        now = position_of(connection, run.pk, writer)
        if now.offset != before.offset:
            # Somebody else applied the same piece while this one was parsed.
            return JournalPosition(offset=now.offset, accepted=False)
        move(connection, run.pk, writer=writer, before=before.offset, to=after)
        _apply_batch(Application(connection=connection, run=run, writer=writer, faults=list(batch.bad)), batch)
    return JournalPosition(offset=after.offset, accepted=True)


def _apply_batch(to: Application, batch: Batch) -> None:
    if batch.series:
        apply_points(to, batch.series)
    kinds: dict[str, list[Entry]] = {}
    for entry in batch.others:
        kinds.setdefault(entry.kind, []).append(entry)
    for kind, entries in kinds.items():
        # Kinds that a later version writes are no fault; this one has no use for them.
        if kind in _APPLY:
            _APPLY[kind](to, entries)
    if batch.series or kinds.keys() & _SUMMED:
        refresh(to.connection, to.run.pk)
    to.keep_faults()
