"""Connections to the catalogue: who reads never waits, who writes is alone."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

from amlsdk.errors import Unavailable
from amlsdk.storage.catalogue.faults import catalogue_errors
from amlsdk.storage.catalogue.uses import Uses

__all__ = ["Database"]

_BUSY_S = 30.0
_CONNECTIONS = 16
_FORK_WAIT_S = 10.0
_OPEN: weakref.WeakSet[Database] = weakref.WeakSet()


class Database:
    """A catalogue. Safe across threads, and usable on in a forked child.

    Args:
        url: As SQLAlchemy has it: `sqlite:////path/catalogue.sqlite`.
        read_only: Nothing is to be written, also not the files that SQLite keeps beside its own.
        busy_s: How long to wait for others that write.
    """

    def __init__(self, url: str, *, read_only: bool = False, busy_s: float = _BUSY_S) -> None:
        self.url = url
        self.read_only = read_only
        self._busy_s = busy_s
        self._raw: set[sqlite3.Connection] = set()
        # Connections that were in use when all others were closed: each is closed when it comes back.
        self._last_used: set[sqlite3.Connection] = set()
        self._closed = False
        self._begin_anew()
        _OPEN.add(self)

    @property
    def dialect(self) -> str:
        """Name of the kind of database: `sqlite`, `postgresql`."""
        return self._engine.dialect.name

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the catalogue; not to be nested.

        Raises:
            Unavailable: The catalogue can't be read; the message says why and what to do.
        """
        self._refuse_if_closed()
        with self._uses, catalogue_errors(self.url), self._engine.connect() as connection, connection.begin():
            self._begin(connection, "BEGIN")
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Give the one connection that may write now; all is kept, or nothing if the block raises. Not to be nested.

        Raises:
            Unavailable: The catalogue can't be written; the message says why and what to do.
        """
        self._refuse_if_closed()
        # SQLite lets waiting writers sleep and try again; the threads of one process can take turns instead.
        with (
            self._turn,
            self._uses,
            catalogue_errors(self.url),
            self._engine.connect() as connection,
            connection.begin(),
        ):
            # A transaction that reads first and writes then would fail at once where another wrote in between.
            self._begin(connection, "BEGIN IMMEDIATE")
            yield connection

    def close(self) -> None:
        """Close all connections, those in use when they are no longer; closing twice is no error."""
        self._closed = True
        self._dispose()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise Unavailable("the catalogue was closed while it was in use; connect to the workspace again")

    def _dispose(self) -> None:
        # The pool forgets those that are in use, which it would keep open when they come back.
        self._engine.dispose()
        self._last_used |= self._raw

    def _begin(self, connection: Connection, statement: str) -> None:
        if self.dialect == "sqlite":
            # Past SQLAlchemy, whose events for this would slow every statement down.
            raw: Any = connection.connection.driver_connection
            raw.execute(statement)

    def _begin_anew(self) -> None:
        self._turn = threading.Lock()
        self._uses = Uses()
        self._engine = self._make_engine()

    def _make_engine(self) -> Engine:
        options: dict[str, Any] = {"poolclass": QueuePool, "pool_size": _CONNECTIONS, "max_overflow": 0}
        options["pool_timeout"] = self._busy_s
        if not self.url.startswith("sqlite:"):
            return sa.create_engine(self.url, **options)
        arguments = {"timeout": self._busy_s, "check_same_thread": False, "isolation_level": None}
        # A process in a loop of inserts keeps few statements; 512 hold all that the handlers have.
        engine = sa.create_engine(self.url, connect_args={**arguments, "cached_statements": 512}, **options)
        event.listen(engine, "connect", self._on_connect)
        event.listen(engine, "close", self._on_close)
        event.listen(engine, "checkin", self._on_return)
        return engine

    def _on_connect(self, raw: Any, _: Any) -> None:
        self._raw.add(raw)
        raw.execute("PRAGMA foreign_keys=ON")
        if not self.read_only:
            raw.execute("PRAGMA journal_mode=WAL")
            # KiB. A page of a search of 10 000 runs reads more pages than the 2 MB that are kept by default.
            raw.execute("PRAGMA cache_size=-8192")
            # The journals of runs are synced; what is ingested from them may be ingested again.
            raw.execute("PRAGMA synchronous=NORMAL")

    def _on_return(self, raw: Any, record: Any) -> None:
        if raw in self._last_used:
            record.invalidate()

    def _on_close(self, raw: Any, _: Any) -> None:
        self._raw.discard(raw)
        self._last_used.discard(raw)

    def _before_fork(self) -> None:
        # SQLite keeps what it knows of locks once a process: a child that inherited open connections would take
        # locks for its own that only the parent has (sqlite.org/howtocorrupt.html, section 2.6), and wait for ever
        # for those that a thread has which is not in the child. So those in use are waited for.
        self._uses.pause(timeout_s=_FORK_WAIT_S)
        self._dispose()

    def _after_fork_in_parent(self) -> None:
        self._uses.resume()

    def _after_fork(self) -> None:
        # What is in use still is left to the parent. Closing it here, or rolling it back, would write into
        # their transaction; only a reference that is never given back keeps the interpreter's end from doing so.
        for raw in self._raw:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(raw))
        self._raw, self._last_used = set(), set()
        self._begin_anew()


def _before_fork() -> None:
    for database in list(_OPEN):
        database._before_fork()  # noqa: SLF001  # of this file


def _after_fork_in_parent() -> None:
    for database in list(_OPEN):
        database._after_fork_in_parent()  # noqa: SLF001  # of this file


def _after_fork() -> None:
    for database in list(_OPEN):
        database._after_fork()  # noqa: SLF001  # of this file


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork)
