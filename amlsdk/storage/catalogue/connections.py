"""Connections of one kind of database, and what becomes of them in a fork."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from amlsdk.storage.catalogue.uses import Uses

__all__ = ["Connections"]

_OPEN: weakref.WeakSet[Connections] = weakref.WeakSet()


class Connections(ABC):
    """A pool of connections. Safe across threads, and usable on in a forked child, which opens its own.

    Args:
        make_engine: Makes the engine with its pool.
    """

    def __init__(self, make_engine: Callable[[], Engine]) -> None:
        self._make_engine = make_engine
        self._raw: set[Any] = set()
        # Connections that were in use when all others were closed: each is closed when it comes back.
        self._last_used: set[Any] = set()
        self._begin_anew()
        _OPEN.add(self)

    @property
    def dialect(self) -> str:
        """Name of the kind of database: `sqlite`, `postgresql`."""
        return self._engine.dialect.name

    @abstractmethod
    def transaction(self, schema: str | None, *, writes: bool) -> contextlib.AbstractContextManager[Connection]:
        """Give a connection within a transaction.

        Args:
            schema: Whose tables are seen, where the database has several.
            writes: Be the only one in that schema that writes; else see one state of it.
        """

    @abstractmethod
    def alone(self, *, timeout_s: float, otherwise: str) -> contextlib.AbstractContextManager[None]:
        """Be the only process that has a connection, for as long as the block takes.

        Raises:
            Unavailable: Others have had some for all of that time; the message is `otherwise`.
        """

    def turn(self, schema: str | None) -> threading.Lock:
        """Return what the threads of this process take turns by to write in a schema."""
        with self._lock:
            return self._turns.setdefault(schema, threading.Lock())

    def dispose(self) -> None:
        """Close all connections, those in use when they are no longer."""
        # The pool forgets those that are in use, which it would keep open when they come back.
        self._engine.dispose()
        self._last_used |= self._raw

    @abstractmethod
    def on_connect(self, raw: Any) -> None:
        """Prepare a new connection of the driver."""

    def before_fork(self) -> None:  # noqa: B027  # few have to
        """Let nothing be open that a child must not inherit."""

    def after_fork_in_parent(self) -> None:  # noqa: B027  # few have to
        """Go on after a fork."""

    def after_fork(self) -> None:
        """Begin anew in a child: what the parent has open is left to it.

        Closing it here, or rolling it back, would write into their transaction; only a reference that is never given
        back keeps the interpreter's end from doing so.
        """
        for raw in self._raw:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(raw))
        self._raw, self._last_used = set(), set()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[str | None, threading.Lock] = {}
        self.uses = Uses()
        self._engine = self._make_engine()
        event.listen(self._engine, "connect", self._connected)
        event.listen(self._engine, "close", self._closed)
        event.listen(self._engine, "checkin", self._returned)

    def _connected(self, raw: Any, _: Any) -> None:
        self._raw.add(raw)
        self.on_connect(raw)

    def _returned(self, raw: Any, record: Any) -> None:
        if raw in self._last_used:
            record.invalidate()

    def _closed(self, raw: Any, _: Any) -> None:
        self._raw.discard(raw)
        self._last_used.discard(raw)


def _before_fork() -> None:
    for connections in list(_OPEN):
        connections.before_fork()


def _after_fork_in_parent() -> None:
    for connections in list(_OPEN):
        connections.after_fork_in_parent()


def _after_fork() -> None:
    for connections in list(_OPEN):
        connections.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork)
