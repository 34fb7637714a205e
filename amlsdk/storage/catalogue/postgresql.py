"""Connections to PostgreSQL: many workspaces in one database, each in a schema of its own."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.pool import QueuePool

from amlsdk.errors import InvalidArgument, MissingDependency, Unavailable
from amlsdk.storage.catalogue.connections import Connections
from amlsdk.storage.catalogue.faults import unavailable

__all__ = ["PostgresConnections", "address_of", "is_postgresql"]

_CONNECTIONS = 20
_PAUSE_S = 0.05
_SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg://")
# Of what all processes that serve from one database hold, so that none migrates under another.
_IN_USE = "amlsdk is served from this database"
_SETTINGS = {
    # The statements are many and small: compiling one takes longer than it saves.
    "jit": "off",
    # Sorting all runs of an experiment stays in memory.
    "work_mem": "16MB",
    # A process that stops in the midst of writing holds up everybody else who writes.
    "idle_in_transaction_session_timeout": "120s",
}


def is_postgresql(url: str) -> bool:
    """Say whether a URL is one of a PostgreSQL server."""
    return url.startswith(_SCHEMES)


def address_of(url: str) -> URL:
    """Return the address of a database, with the driver that is used here.

    Raises:
        InvalidArgument: It is none.
    """
    try:
        address = sa.make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        # Without the text, and what it was raised from, which may hold a password.
        del error
        address = None
    if address is None or not address.database:
        raise InvalidArgument(
            "the address of the database can't be read; write it as postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME, "
            "with %-escapes for / : @ in user and password"
        )
    return address.set(drivername="postgresql+psycopg")


class PostgresConnections(Connections):
    """Connections to one database, shared by all who use a schema of it.

    Each holds a lock that says that the service is in use: see `alone`.

    Args:
        url: As SQLAlchemy has it.
        busy_s: How long to wait for others that write, and for a connection.

    Raises:
        InvalidArgument: The URL can't be read.
        MissingDependency: The driver is not installed.
    """

    def __init__(self, url: str, *, busy_s: float) -> None:
        address = address_of(url)
        self._alone = False
        super().__init__(lambda: _engine(address, busy_s))

    @contextlib.contextmanager
    def transaction(self, schema: str | None, *, writes: bool) -> Iterator[Connection]:  # noqa: D102
        connection = self._begun(_beginning(schema, writes=writes))
        try:
            with connection.begin():
                yield connection
        finally:
            connection.close()

    @contextlib.contextmanager
    def alone(self, *, timeout_s: float, otherwise: str) -> Iterator[None]:  # noqa: D102
        self.dispose()
        engine = self._make_engine()
        try:
            with engine.connect() as connection:
                _lock_alone(connection, timeout_s, otherwise)
                self._alone = True
                try:
                    yield
                finally:
                    self._alone = False
                    self.dispose()
        finally:
            engine.dispose()

    def on_connect(self, raw: Any) -> None:  # noqa: D102
        raw.adapters.register_dumper(str, _text_dumper())
        if not self._alone:
            raw.execute("SELECT pg_advisory_lock_shared(%s)", [_key_of(_IN_USE)])

    def after_fork(self) -> None:  # noqa: D102
        from psycopg import Error

        # The server ends a session when nobody has its socket any more: the parent's must not live on in the child. Its
        # number stays taken, so that a transaction that the child comes out of can't end another's.
        nothing = os.open(os.devnull, os.O_RDWR)
        for raw in self._raw:
            with contextlib.suppress(OSError, Error):
                os.dup2(nothing, raw.fileno(), inheritable=False)
        os.close(nothing)
        super().after_fork()

    def _begun(self, beginning: str) -> Connection:
        """Return a connection whose transaction has begun; one that was lost while nobody used it is replaced."""
        from psycopg import Error

        for _ in range(_CONNECTIONS + 1):
            connection = self._engine.connect()
            raw: Any = connection.connection.driver_connection
            try:
                # Past SQLAlchemy and in one message: each round trip to the server counts.
                raw.execute(beginning, prepare=False)
            except Error as error:
                lost = raw.closed
                if lost:
                    connection.invalidate()
                connection.close()
                if not lost:
                    raise unavailable(error) from error
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
            else:
                return connection
        raise Unavailable("the connection to the database server is lost again and again; look at its log")


@functools.lru_cache(maxsize=4096)
def _beginning(schema: str | None, *, writes: bool) -> str:
    path = f'SET LOCAL search_path TO "{schema}"' if schema else "SELECT 1"
    if not writes:
        return f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {path}"
    # Handlers are written for one writer at a time. Each statement after the lock sees what all before it committed.
    return f"BEGIN ISOLATION LEVEL READ COMMITTED; {path}; SELECT pg_advisory_xact_lock({_key_of(f'write {schema}')})"


def _key_of(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def _lock_alone(connection: Connection, timeout_s: float, otherwise: str) -> None:
    deadline = time.monotonic() + timeout_s
    taken = sa.select(sa.func.pg_try_advisory_lock(sa.literal(_key_of(_IN_USE), sa.BigInteger())))
    while not connection.execute(taken).scalar_one():
        if time.monotonic() > deadline:
            raise Unavailable(otherwise)
        time.sleep(_PAUSE_S)


@functools.cache
def _text_dumper() -> Any:
    from psycopg.adapt import Dumper

    class Text(Dumper):
        """A text, also one with a character that PostgreSQL can't keep: it equals nothing that is kept."""

        def dump(self, obj: str) -> bytes:
            return obj.encode().replace(b"\0", "\ufffd".encode())

    return Text


def _engine(address: URL, busy_s: float) -> Engine:
    try:
        return sa.create_engine(
            address.difference_update_query(["options"]),
            connect_args=_arguments(address, busy_s),
            poolclass=QueuePool,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=busy_s,
            hide_parameters=True,
        )
    except ModuleNotFoundError as error:
        raise MissingDependency("a database of PostgreSQL needs psycopg: pip install 'amlsdk[postgresql]'") from error


def _arguments(address: URL, busy_s: float) -> dict[str, Any]:
    settings = _SETTINGS | {"lock_timeout": f"{int(busy_s * 1000)}ms"}
    own = [f"-c {name}={value}" for name, value in settings.items()]
    return {
        "autocommit": True,
        "application_name": "amlsdk",
        "client_encoding": "utf8",
        "connect_timeout": 10,
        "options": " ".join([str(address.query.get("options", "")), *own]).strip(),
    }
