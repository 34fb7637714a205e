"""What is known of a run before its journal is applied."""

from __future__ import annotations

import attrs
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from amlsdk.errors import NotFound
from amlsdk.storage.catalogue.schema import run

__all__ = ["KnownRun", "find_run", "known_run"]


@attrs.frozen
class KnownRun:
    """A run as it stands.

    Args:
        pk: Its number in the catalogue.
        id: Its id.
        experiment_id: Its experiment.
        kind: `interactive` or `submitted`.
        status: One of `RunStatus`.
        ended_at: When it ended, in microseconds since 1970 UTC, or None.
        claimed_status: What its journal says of its end, or None.
    """

    pk: int
    id: str
    experiment_id: str
    kind: str
    status: str
    ended_at: int | None
    claimed_status: str | None


# Built once: making a statement takes longer than executing it.
_KNOWN = select(*[run.c[field.name] for field in attrs.fields(KnownRun)]).where(run.c.id == bindparam("wanted"))


def known_run(connection: Connection, run_id: str) -> KnownRun | None:
    """Return a run, or None where there is none of this id."""
    row = connection.execute(_KNOWN, {"wanted": run_id}).first()
    return None if row is None else KnownRun(*row)


def find_run(connection: Connection, run_id: str) -> KnownRun:
    """Return a run.

    Raises:
        NotFound: There is none of this id.
    """
    found = known_run(connection, run_id)
    if found is None:
        raise NotFound(f"this workspace has no run {run_id[:80]!r}")
    return found
