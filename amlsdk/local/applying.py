"""What the entries of a journal are applied to, and what happens to those that can't be understood."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

import attrs
from sqlalchemy.engine import Connection

from amlsdk.errors import AmlError
from amlsdk.journal.entries import Entry
from amlsdk.local.finding import KnownRun
from amlsdk.storage.catalogue.schema import journal_fault
from amlsdk.storage.catalogue.upserting import upsert

__all__ = ["INT64", "Application"]

T = TypeVar("T")

INT64 = 1 << 63


@attrs.frozen(kw_only=True)
class Application:
    """One piece of a journal on its way into the catalogue, inside one transaction.

    Args:
        connection: That of the transaction.
        run: Whose journal it is, as it stood when the transaction began.
        writer: Of the journal.
        faults: Offset and reason of the lines that were set aside; grows.
    """

    connection: Connection
    run: KnownRun
    writer: str
    faults: list[tuple[int, str]]

    def understood(self, entries: Iterable[Entry], read: Callable[[Entry], T]) -> list[T]:
        """Return what `read` makes of each entry; one that it can't read is set aside and blocks no other."""
        found = []
        for entry in entries:
            try:
                found.append(read(entry))
            except (AmlError, KeyError, TypeError, ValueError) as error:
                self.faults.append((entry.offset, f"a line of the kind {entry.kind!r} can't be meant: {error!s:.200}"))
        return found

    def keep_faults(self) -> None:
        """Keep the lines that were set aside, by name."""
        if not self.faults:
            return
        logging.getLogger("amlsdk").warning(
            "%d lines of a journal of run %s were damaged and set aside", len(self.faults), self.run.id
        )
        rows = [{"offset": offset, "reason": reason} for offset, reason in self.faults]
        self.connection.execute(
            upsert(self.connection, journal_fault),
            [{"run_pk": self.run.pk, "writer": self.writer, **row} for row in rows],
        )
