"""Connections to a catalogue in a file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

from amlsdk.storage.catalogue.connections import Connections

__all__ = ["SqliteConnections"]

_CONNECTIONS = 16
_FORK_WAIT_S = 10.0


class SqliteConnections(Connections):
    """Connections to a file.

    Args:
        url: As SQLAlchemy has it.
        read_only: Nothing is to be written, also not the files that SQLite keeps beside its own.
        busy_s: How long to wait for others that write.
    """

    def __init__(self, url: str, *, read_only: bool, busy_s: float) -> None:
        self._read_only = read_only
        super().__init__(lambda: _engine(url, busy_s))

    @contextlib.contextmanager
    def transaction(self, schema: str | None, *, writes: bool) -> Iterator[Connection]:  # noqa: ARG002, D102  # a file has one
        with self._engine.connect() as connection, connection.begin():
            # Past SQLAlchemy, whose events for this would slow every statement down.
            raw: Any = connection.connection.driver_connection
            # A transaction that reads first and writes then would fail at once where another wrote in between.
            raw.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            yield connection

    @contextlib.contextmanager
    def alone(self, *, timeout_s: float, otherwise: str) -> Iterator[None]:  # noqa: D102
        # Those who have the file open agree by a lock beside it, which is held already.
        del timeout_s, otherwise
        yield

    def on_connect(self, raw: Any) -> None:  # noqa: D102
        raw.execute("PRAGMA foreign_keys=ON")
        if not self._read_only:
            raw.execute("PRAGMA journal_mode=WAL")
            # KiB. A page of a search of 10 000 runs reads more pages than the 2 MB that are kept by default.
            raw.execute("PRAGMA cache_size=-8192")
            # The journals of runs are synced; what is ingested from them may be ingested again.
            raw.execute("PRAGMA synchronous=NORMAL")

    def before_fork(self) -> None:  # noqa: D102
        # SQLite keeps what it knows of locks once a process: a child that inherited open connections would take
        # locks for its own that only the parent has (sqlite.org/howtocorrupt.html, section 2.6), and wait for ever
        # for those that a thread has which is not in the child. So those in use are waited for.
        self.uses.pause(timeout_s=_FORK_WAIT_S)
        self.dispose()

    def after_fork_in_parent(self) -> None:  # noqa: D102
        self.uses.resume()


def _engine(url: str, busy_s: float) -> Engine:
    options: dict[str, Any] = {"poolclass": QueuePool, "pool_size": _CONNECTIONS, "max_overflow": 0}
    arguments = {"timeout": busy_s, "check_same_thread": False, "isolation_level": None}
    # A process in a loop of inserts keeps few statements; 512 hold all that the handlers have.
    arguments["cached_statements"] = 512
    return sa.create_engine(url, connect_args=arguments, pool_timeout=busy_s, hide_parameters=True, **options)
