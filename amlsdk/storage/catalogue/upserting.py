"""Rows that are put in the place of those with their keys."""

from __future__ import annotations

import functools
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

__all__ = ["upsert"]


def upsert(connection: Connection, table: Table, *, latest: bool = False) -> Any:
    """Return an INSERT of whole rows, which replaces what has the same primary key.

    Args:
        connection: What it is for.
        table: One whose columns are its primary key and what depends on it.
        latest: Replace only what has no later `time`.
    """
    return _statement(connection.dialect.name, table, latest)


# Kept, because making one takes ten times as long as executing it.
@functools.cache
def _statement(dialect: str, table: Table, latest: bool) -> Any:
    statement = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    keys = list(table.primary_key)
    changed = {column.name: statement.excluded[column.name] for column in table.c if column not in set(keys)}
    newer = statement.excluded["time"] >= table.c["time"] if latest else None
    return statement.on_conflict_do_update(index_elements=keys, set_=changed, where=newer)
