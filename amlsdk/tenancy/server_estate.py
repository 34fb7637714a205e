"""Workspaces on a database server, which several processes serve as one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import Connection

from amlsdk.filesets.removing import remove_tree
from amlsdk.local.folder import REPOSITORIES, enter_workspace
from amlsdk.local.handling import Local
from amlsdk.storage.catalogue import migrating
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.outputs.table import TableOutputs
from amlsdk.tenancy.estate import Estate, Open, empty_store, store_of

__all__ = ["DIRECTORY_SCHEMA", "ServerEstate", "outdated"]

DIRECTORY_SCHEMA = "amlsdk"
_PREFIX = "ws_"
_SCHEMAS = text(
    "SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE c.relname = 'alembic_version' AND starts_with(n.nspname::text, :prefix) ORDER BY 1"
)
_AT_ONCE = 500


class ServerEstate(Estate):
    """Workspaces in a PostgreSQL database, each a schema of its own, with blobs in a common store.

    Args:
        root: Folder on this machine, for what may be lost with it, and for git repositories, which all servers share.
        directory: The directory's catalogue, beside which those of the workspaces are.
        key_file: Of the secrets of all of them.
        blobs: URL of where their blobs are kept.
        secrets: URL of the store of their secrets; None is encrypted in each catalogue.
    """

    def __init__(
        self, root: Path, *, directory: Database, key_file: Path, blobs: str, secrets: str | None = None
    ) -> None:
        super().__init__(secrets=secrets)
        self._root, self._directory, self._key_file, self._blobs = root, directory, key_file, blobs

    def opened(self, workspace_id: str, name: str, place: str | None) -> Open:  # noqa: ARG002, D102  # none has a place
        database = self._directory.beside(_PREFIX + workspace_id)
        migrating.create(database)
        enter_workspace(database, (workspace_id, name))
        folder = self._scratch(workspace_id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        local = Local(
            folder=folder,
            database=database,
            blobs=store_of(self._blobs, workspace_id),
            outputs=TableOutputs(database),
            repositories=self._repositories(workspace_id),
            secrets=self.secrets_of(workspace_id, self._key_file),
            served=True,
        )
        return Open(local, database.close)

    def is_made(self, workspace_id: str) -> bool:  # noqa: D102
        with self._directory.read() as connection:
            return _PREFIX + workspace_id in _schemas(connection, _PREFIX + workspace_id)

    def removed(self, workspace_id: str) -> None:  # noqa: D102
        schema = _PREFIX + workspace_id
        # Within a transaction of its own: whoever writes there has come to an end.
        with self._directory.beside(schema).write() as connection:
            connection.execute(text(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))
        empty_store(store_of(self._blobs, workspace_id))
        remove_tree(self._scratch(workspace_id))
        remove_tree(self._repositories(workspace_id))

    def _repositories(self, workspace_id: str) -> Path:
        return self._root / REPOSITORIES / workspace_id

    def _scratch(self, workspace_id: str) -> Path:
        return self._root / "scratch" / workspace_id


def outdated(directory: Database) -> list[Database]:
    """Return the catalogues of the workspaces that have to be migrated.

    Raises:
        Conflict: A newer version of amlsdk made the schema of one.
    """
    with directory.read() as connection:
        schemas = _schemas(connection, _PREFIX)
        old: list[str] = []
        for start in range(0, len(schemas), _AT_ONCE):
            old += _old(connection, schemas[start : start + _AT_ONCE])
    # What is newer than this version knows is refused by the look at each.
    return [database for database in map(directory.beside, old) if not migrating.is_current(database)]


def _schemas(connection: Connection, prefix: str) -> list[str]:
    return list(connection.execute(_SCHEMAS, {"prefix": prefix}).scalars())


def _old(connection: Connection, schemas: list[str]) -> list[str]:
    asked = (
        f"SELECT '{schema}' FROM \"{schema}\".alembic_version WHERE version_num <> '{migrating.HEAD}'"  # noqa: S608  # names of ours
        for schema in schemas
    )
    return list(connection.execute(text(" UNION ALL ".join(asked))).scalars())
