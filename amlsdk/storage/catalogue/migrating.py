"""Which schema a catalogue has, and how it gets the present one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, MetaData, String, Table, insert, inspect, select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict
from amlsdk.storage.catalogue import schema
from amlsdk.storage.catalogue.database import Database

__all__ = ["HEAD", "MIGRATIONS", "create", "is_current", "migrate"]

MIGRATIONS = Path(__file__).parent / "migrations"
# Known by heart, so that a catalogue that needs no migration is opened without importing Alembic.
_REVISIONS = ("0001", "0002", "0003", "0004")
HEAD = _REVISIONS[-1]

_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def create(database: Database) -> None:
    """Make all tables, unless they are there."""
    with database.write() as connection:
        if not inspect(connection).has_table(_version.name):
            schema.metadata.create_all(connection, checkfirst=False)
            _version.create(connection)
            connection.execute(insert(_version).values(version_num=HEAD))


def is_current(database: Database) -> bool:
    """Say whether a catalogue has the present schema; if not, it has to be migrated.

    Raises:
        Conflict: A newer version of amlsdk made its schema.
        Unavailable: It can't be read, or is none.
    """
    with database.read() as connection:
        return _revision(connection) == HEAD


def migrate(database: Database) -> None:
    """Bring a catalogue to the present schema, whole or not at all; nobody else may use it meanwhile.

    Raises:
        Conflict: A newer version of amlsdk made its schema.
        Unavailable: It can't be written.
    """
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with database.write() as connection:
        steps = ScriptDirectory(str(MIGRATIONS)).iterate_revisions(HEAD, _revision(connection))
        with Operations.context(MigrationContext.configure(connection)):
            for step in reversed(list(steps)):
                step.module.upgrade()
        connection.execute(update(_version).values(version_num=HEAD))


def _revision(connection: Connection) -> str:
    found = connection.execute(select(_version.c.version_num)).scalar_one_or_none()
    if found not in _REVISIONS:
        raise Conflict(
            f"the catalogue has the schema {found!r}; this version of amlsdk knows those up to {HEAD!r}: "
            "upgrade amlsdk to open it"
        )
    return str(found)
