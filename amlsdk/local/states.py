"""How a run enters a state."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.engine import Connection

from amlsdk.records.runs import ENDED, RunStatus
from amlsdk.storage.catalogue.schema import run, run_state

__all__ = ["change", "enter"]

# Built once: making a statement takes longer than executing it. What is set is told by the parameters.
_CHANGE = update(run).where(run.c.pk == bindparam("key"))
_NEXT = select(func.coalesce(func.max(run_state.c.number), 0) + 1).where(run_state.c.run_pk == bindparam("key"))
_NOTE = insert(run_state).values(number=_NEXT.scalar_subquery())


def change(connection: Connection, row: Any, **columns: Any) -> None:
    """Change columns of a run, of which none is its state.

    Args:
        connection: Of a transaction that may write.
        row: Of the run.
        **columns: Their new values.
    """
    connection.execute(_CHANGE, {"key": row.pk, **columns})


def enter(connection: Connection, row: Any, status: str, *, at: int, reason: str | None = None, **columns: Any) -> None:
    """Let a run enter a state, and note when and why.

    Args:
        connection: Of a transaction that may write.
        row: Of the run, as it is now.
        status: The state.
        at: When, in microseconds since 1970 UTC.
        reason: Why; for a bad end, also the run's error.
        **columns: What else changes with it.
    """
    values = {"status": status, **columns}
    if status == RunStatus.RUNNING and row.started_at is None:
        values["started_at"] = at
    if status in ENDED:
        values |= {"ended_at": at, "error": None if status == RunStatus.COMPLETED else reason, "lease_until": None}
    change(connection, row, **values)
    state = {"run_pk": row.pk, "status": status, "at": at, "reason": reason}
    connection.execute(_NOTE, {"key": row.pk, **state})
