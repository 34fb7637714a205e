"""Collecting what nothing refers to any more."""

from __future__ import annotations

import contextlib
import math
import time

import attrs
from sqlalchemy import delete, select

from amlsdk.errors import InvalidArgument
from amlsdk.filesets.removing import remove_tree
from amlsdk.local.filesets import entries_of
from amlsdk.local.handling import Local, handles
from amlsdk.local.ingest import ingest_all
from amlsdk.local.references import referred_digests, young_filesets
from amlsdk.operations.workspaces import CollectGarbage
from amlsdk.records.ids import is_id
from amlsdk.records.workspaces import GarbageRecord
from amlsdk.service import Principal
from amlsdk.storage.catalogue.schema import fileset, run

__all__: list[str] = []

_BATCH = 500


@handles(CollectGarbage)
def collect_garbage(local: Local, _: Principal, request: CollectGarbage) -> GarbageRecord:
    """Remove blobs, FileSets and folders of runs that nothing refers to and that are old enough.

    Whoever stores something refers to it later: until then only its age protects it.
    """
    if not (math.isfinite(request.grace_s) and request.grace_s >= 0):
        raise InvalidArgument(f"grace_s is 0 or more seconds, not {request.grace_s}")
    # Before 1970 nothing was stored; an earlier time is more than a catalogue can compare with.
    before = max(0.0, time.time() - request.grace_s)
    # What runs wrote and nobody read yet refers to blobs too.
    ingest_all(local)
    live = _sweep_filesets(local, before=before, dry_run=request.dry_run)
    record = _sweep_blobs(local, live, before=before, dry_run=request.dry_run)
    if not request.dry_run:
        _sweep_runs(local, before=before)
        local.blobs.remove_leftovers()
    return record


def _sweep_filesets(local: Local, *, before: float, dry_run: bool) -> set[str]:
    """Forget FileSets that nothing refers to; return the digests of all blobs that are in use."""
    # In one transaction: who refers to a FileSet looks for it in one too, and either finds it gone or is seen.
    with local.database.write() as connection:
        used = referred_digests(connection) | young_filesets(connection, since=int(before * 1_000_000))
        known = set(connection.execute(select(fileset.c.digest)).scalars())
        lost = [] if dry_run else sorted(known - used)
        for start in range(0, len(lost), _BATCH):
            connection.execute(delete(fileset).where(fileset.c.digest.in_(lost[start : start + _BATCH])))
    # A listing that can't be read ends the collection: what it protects is not known.
    listings = (entries_of(local, digest) for digest in known & used)
    return used | {entry.digest for entries in listings for entry in entries}


def _sweep_blobs(local: Local, live: set[str], *, before: float, dry_run: bool) -> GarbageRecord:
    found = GarbageRecord(blob_count=0, size_bytes=0, kept_count=0)
    for digest, size, used_at in local.blobs.digests():
        if digest in live or used_at > before:
            found = attrs.evolve(found, kept_count=found.kept_count + 1)
            continue
        # Between being listed and now it may have been found by somebody who will refer to it.
        if not dry_run and not local.blobs.delete(digest, unless_used_since=before):
            found = attrs.evolve(found, kept_count=found.kept_count + 1)
            continue
        found = attrs.evolve(found, blob_count=found.blob_count + 1, size_bytes=found.size_bytes + size)
    return found


def _sweep_runs(local: Local, *, before: float) -> None:
    """Remove folders of runs that were deleted while something was still being written there."""
    with local.database.read() as connection:
        known = set(connection.execute(select(run.c.id)).scalars())
    for folder in (local.folder / "runs").glob("*"):
        # Another collection may have removed it in between.
        with contextlib.suppress(FileNotFoundError):
            if is_id(folder.name) and folder.name not in known and folder.stat().st_mtime <= before:
                remove_tree(folder)
