"""Which schema a catalogue has, and how it gets the present one."""

from __future__ import annotations

from pathlib import Path

import attrs
from sqlalchemy import MetaData, select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict
from amlsdk.storage.catalogue import schema
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.making import VERSION, has_tables, make_tables

__all__ = ["HEAD", "MIGRATIONS", "WORKSPACE", "Schema", "create", "is_current", "migrate"]


@attrs.frozen(kw_only=True)
class Schema:
    """The tables of a kind of catalogue, and how they came to be.

    Args:
        metadata: The tables, as the newest migration leaves them.
        migrations: Folder of Alembic's scripts.
        revisions: Of these, the oldest first. Known by heart, so that a catalogue that needs no migration is opened
            without importing Alembic.
    """

    metadata: MetaData
    migrations: Path
    revisions: tuple[str, ...]

    @property
    def head(self) -> str:
        """The newest revision."""
        return self.revisions[-1]


MIGRATIONS = Path(__file__).parent / "migrations"
WORKSPACE = Schema(metadata=schema.metadata, migrations=MIGRATIONS, revisions=("0001", "0002", "0003", "0004", "0005"))
HEAD = WORKSPACE.head


def create(database: Database, of: Schema = WORKSPACE) -> None:
    """Make all tables, unless they are there."""
    with database.write() as connection:
        if not has_tables(connection):
            make_tables(connection, of.metadata, schema=database.schema, revision=of.head)


def is_current(database: Database, of: Schema = WORKSPACE) -> bool:
    """Say whether a catalogue has the present schema; if not, it has to be migrated.

    Raises:
        Conflict: A newer version of amlsdk made its schema.
        Unavailable: It can't be read, or is none.
    """
    with database.read() as connection:
        return _revision(connection, of) == of.head


def migrate(database: Database, of: Schema = WORKSPACE) -> None:
    """Bring a catalogue to the present schema, whole or not at all; nobody else may use it meanwhile.

    Raises:
        Conflict: A newer version of amlsdk made its schema.
        Unavailable: It can't be written.
    """
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with database.write() as connection:
        steps = ScriptDirectory(str(of.migrations)).iterate_revisions(of.head, _revision(connection, of))
        with Operations.context(MigrationContext.configure(connection)):
            for step in reversed(list(steps)):
                step.module.upgrade()
        connection.execute(update(VERSION).values(version_num=of.head))


def _revision(connection: Connection, of: Schema) -> str:
    found = connection.execute(select(VERSION.c.version_num)).scalar_one_or_none()
    if found not in of.revisions:
        raise Conflict(
            f"the catalogue has the schema {found!r}; this version of amlsdk knows those up to {of.head!r}: "
            "upgrade amlsdk to open it"
        )
    return str(found)
