"""How far each journal is in the catalogue."""

from __future__ import annotations

from pathlib import Path

import attrs
from sqlalchemy import bindparam, delete, select
from sqlalchemy.engine import Connection

from amlsdk.journal.digests import PrefixDigest
from amlsdk.journal.folder import read_from
from amlsdk.storage.catalogue.schema import journal, journal_fault
from amlsdk.storage.catalogue.upserting import upsert

__all__ = ["Position", "is_copy", "move", "position_of"]

_CHUNK = 1 << 20

_AT = select(journal.c.offset, journal.c.digest_state, journal.c.ended).where(
    journal.c.run_pk == bindparam("run"), journal.c.writer == bindparam("writer")
)
_NO_FAULT = delete(journal_fault).where(
    journal_fault.c.run_pk == bindparam("run"),
    journal_fault.c.writer == bindparam("by"),
    journal_fault.c.offset == bindparam("at"),
)


@attrs.frozen(kw_only=True)
class Position:
    """How far a journal is applied.

    Args:
        offset: Bytes that are.
        state: Of the digest of those bytes, as `PrefixDigest` keeps it.
        ended: Whether its last line was among them.
    """

    offset: int
    state: bytes
    ended: bool

    def digest(self) -> PrefixDigest:
        """Return the digest of the bytes that are applied, to be continued."""
        return PrefixDigest.from_state(self.state)


def position_of(connection: Connection, run_pk: int, writer: str) -> Position:
    """Return where a journal stands; at its beginning where nothing of it was applied."""
    row = connection.execute(_AT, {"run": run_pk, "writer": writer}).one_or_none()
    if row is None:
        return Position(offset=0, state=PrefixDigest().state(), ended=False)
    return Position(offset=row.offset, state=row.digest_state, ended=row.ended)


def move(connection: Connection, run_pk: int, *, writer: str, before: int, to: Position) -> None:
    """Enter a new position; what was said of a torn line at the old one is no longer true."""
    connection.execute(_NO_FAULT, {"run": run_pk, "by": writer, "at": before})
    row = {"run_pk": run_pk, "writer": writer, "offset": to.offset, "digest_state": to.state, "ended": to.ended}
    connection.execute(upsert(connection, journal), row)


def is_copy(path: Path, of: Position) -> bool:
    """Say whether a file begins with the bytes that were applied under its name."""
    digest = PrefixDigest()
    while digest.offset < of.offset and (data := read_from(path, digest.offset, _CHUNK)):
        digest.update(data[: of.offset - digest.offset])
    return digest.hexdigest() == of.digest().hexdigest()
