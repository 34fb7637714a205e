"""A catalogue: who reads never waits, who writes is alone."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from sqlalchemy.engine import Connection

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.storage.catalogue.connections import Connections
from amlsdk.storage.catalogue.faults import catalogue_errors
from amlsdk.storage.catalogue.postgresql import PostgresConnections, is_postgresql
from amlsdk.storage.catalogue.sqlite import SqliteConnections

__all__ = ["Database"]

_BUSY_S = 30.0
# It stands in statements as it is.
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Database:
    """A catalogue. Safe across threads, and usable on in a forked child.

    Args:
        url: As SQLAlchemy has it: `sqlite:////path/catalogue.sqlite`, or `postgresql+psycopg://user@host/name`.
        schema: Which schema of a PostgreSQL database the catalogue is; a file has one alone.
        read_only: Nothing is to be written, also not the files that SQLite keeps beside its own.
        busy_s: How long to wait for others that write.
        sharing: Another catalogue of the same server, whose few connections this one uses, and with which it is closed.

    Raises:
        InvalidArgument: The URL can't be read, or nothing can have the schema's name.
        MissingDependency: The driver is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        schema: str | None = None,
        read_only: bool = False,
        busy_s: float = _BUSY_S,
        sharing: Database | None = None,
    ) -> None:
        if schema is not None and not _SCHEMA.fullmatch(schema):
            raise InvalidArgument(f"{schema[:80]!r} can't be a schema: 1 to 63 of a-z, 0-9 and _")
        self.url = url
        self.schema = schema
        self.read_only = read_only
        self._sharing, self._closed = sharing, False
        self.connections: Connections
        if sharing is not None:
            self.connections = sharing.connections
        elif is_postgresql(url):
            self.connections = PostgresConnections(url, busy_s=busy_s)
        else:
            self.connections = SqliteConnections(url, read_only=read_only, busy_s=busy_s)

    def beside(self, schema: str) -> Database:
        """Return the catalogue in another schema of the same database."""
        return Database(self.url, schema=schema, sharing=self)

    @property
    def dialect(self) -> str:
        """Name of the kind of database: `sqlite`, `postgresql`."""
        return self.connections.dialect

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the catalogue; not to be nested.

        Raises:
            Unavailable: The catalogue can't be read; the message says why and what to do.
        """
        self._refuse_if_closed()
        with (
            self.connections.uses,
            catalogue_errors(self.url),
            self.connections.transaction(self.schema, writes=False) as connection,
        ):
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Give the one connection that may write now; all is kept, or nothing if the block raises. Not to be nested.

        Raises:
            Unavailable: The catalogue can't be written; the message says why and what to do.
        """
        self._refuse_if_closed()
        # SQLite lets waiting writers sleep and try again; the threads of one process can take turns instead, and on
        # a server hold no connection meanwhile.
        with (
            self.connections.turn(self.schema),
            self.connections.uses,
            catalogue_errors(self.url),
            self.connections.transaction(self.schema, writes=True) as connection,
        ):
            yield connection

    def alone(self, *, timeout_s: float, otherwise: str) -> contextlib.AbstractContextManager[None]:
        """Be the only process that has the catalogue open, to migrate it.

        Raises:
            Unavailable: Others have it open; the message is `otherwise`.
        """
        return self.connections.alone(timeout_s=timeout_s, otherwise=otherwise)

    def close(self) -> None:
        """Close all connections, those in use when they are no longer; closing twice is no error."""
        self._closed = True
        if self._sharing is None:
            self.connections.dispose()

    @property
    def _is_closed(self) -> bool:
        return self._closed or (self._sharing is not None and self._sharing._is_closed)  # noqa: SLF001  # of this class

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise Unavailable("the catalogue was closed while it was in use; connect to the workspace again")
