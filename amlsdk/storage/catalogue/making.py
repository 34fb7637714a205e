"""Making the tables of a catalogue."""

from __future__ import annotations

import functools
from typing import Any

from sqlalchemy import Column, MetaData, String, Table, insert, inspect, text
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from amlsdk.errors import InvalidArgument

__all__ = ["VERSION", "has_tables", "make_tables"]

# As Alembic names and makes it.
VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))

_SERVER_HAS = text("SELECT to_regclass(:name) IS NOT NULL")
_ENCODING = text("SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()")


def has_tables(connection: Connection) -> bool:
    """Say whether a catalogue was made already."""
    if connection.dialect.name == "postgresql":
        return bool(connection.execute(_SERVER_HAS, {"name": VERSION.name}).scalar_one())
    return inspect(connection).has_table(VERSION.name)


def make_tables(connection: Connection, metadata: MetaData, *, schema: str | None, revision: str) -> None:
    """Make all tables, in a transaction that was begun by `Database.write`.

    Args:
        connection: That of the transaction.
        metadata: The tables.
        schema: Where they are made, on a server.
        revision: What the newest migration is named.

    Raises:
        InvalidArgument: The database can't keep every text.
    """
    if connection.dialect.name == "postgresql":
        _make_on_server(connection, metadata, schema)
    else:
        metadata.create_all(connection, checkfirst=False)
        VERSION.create(connection)
    connection.execute(insert(VERSION).values(version_num=revision))


def _make_on_server(connection: Connection, metadata: MetaData, schema: str | None) -> None:
    encoding = connection.execute(_ENCODING).scalar_one()
    if encoding != "UTF8":
        raise InvalidArgument(
            f"the database has the encoding {encoding}, which lacks letters that names and texts may have; "
            "make another: createdb --encoding=UTF8 --template=template0 NAME"
        )
    raw: Any = connection.connection.driver_connection
    # All in one message, which takes a fraction of one a table.
    begin = f'CREATE SCHEMA IF NOT EXISTS "{schema}"' if schema else ""
    raw.execute(";\n".join(filter(None, [begin, *_script(metadata, connection.dialect)])), prepare=False)


@functools.lru_cache(maxsize=8)
def _script(metadata: MetaData, dialect: Dialect) -> tuple[str, ...]:
    tables = [*metadata.sorted_tables, VERSION]
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in tables]
    # Sorted, as a set has another order in every process.
    indexes = sorted((index for table in tables for index in table.indexes), key=lambda index: str(index.name))
    return (*made, *(str(CreateIndex(index).compile(dialect=dialect)) for index in indexes))
