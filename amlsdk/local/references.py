"""What the catalogue refers to, and so must not be collected."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.engine import Connection

from amlsdk.storage.catalogue.runs import job_of
from amlsdk.storage.catalogue.schema import fileset, image, manifest, model, run, run_context, run_file, run_input

__all__ = ["referred_digests", "young_filesets"]

_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


def referred_digests(connection: Connection) -> set[str]:
    """Return the digests of blobs and of FileSets that models, runs, manifests and images refer to."""
    found: set[str] = set()
    columns = (model.c.digest, run_file.c.digest, run_input.c.digest, manifest.c.files, image.c.files)
    for column in columns:
        found.update(connection.execute(select(column).where(column.is_not(None)).distinct()).scalars())
    for text in connection.execute(select(run.c.job).where(run.c.job.is_not(None)).distinct()).scalars():
        found.update(_of_job(text))
    # Whatever form a snapshot's note has: a digest in it is one.
    for text in connection.execute(select(run_context.c.value).where(run_context.c.topic == "snapshot")).scalars():
        found.update(_DIGEST.findall(text))
    for text in connection.execute(select(manifest.c.dependencies).distinct()).scalars():
        found.update(_DIGEST.findall(text))
    return found


def young_filesets(connection: Connection, *, since: int) -> set[str]:
    """Return the digests of FileSets that were created after a time, which something may be about to refer to."""
    return set(connection.execute(select(fileset.c.digest).where(fileset.c.created_at >= since)).scalars())


def _of_job(text: str) -> Iterator[str]:
    job = job_of(text)
    if job is not None:
        yield job.snapshot
        yield from job.inputs.values()
