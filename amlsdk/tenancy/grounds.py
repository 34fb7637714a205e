"""Where a service keeps its directory and its workspaces: in a folder, or on a database server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.local.locking import WorkspaceLock
from amlsdk.storage.blobs.opening import open_store
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.postgresql import is_postgresql
from amlsdk.storage.secrets.opening import open_secrets
from amlsdk.tenancy.beginning import begin
from amlsdk.tenancy.estate import Estate, FolderEstate
from amlsdk.tenancy.server_estate import DIRECTORY_SCHEMA, ServerEstate, outdated

__all__ = ["DIRECTORY_FILE", "Grounds", "open_grounds"]

DIRECTORY_FILE = "service.sqlite"
_LOCK_FILE = "service.lock"
_KEY_FILE = "secrets.key"
_WAIT_S = 30.0
_MIGRATION_WAIT_S = 2.0
_IN_USE = (
    "the service has an older schema and can't be migrated while other processes serve it; "
    "end those, start this version once, then start the others again"
)


@attrs.frozen(kw_only=True)
class Grounds:
    """What a service stands on.

    Args:
        directory: The catalogue of the directory.
        estate: The workspaces.
        alone: Sees that no other process uses the service, or raises `Unavailable`.
        workspaces: Says which workspaces are migrated with the directory.
        lock: Held as long as the service is in use, where it is in a folder.
    """

    directory: Database
    estate: Estate
    alone: Callable[[], AbstractContextManager[None]]
    workspaces: Callable[[], list[Database]]
    lock: WorkspaceLock | None = None

    def begin(self, root: Path, owner: str) -> str | None:
        """Make or migrate the service; see `beginning.begin`."""
        return begin(self.directory, root=root, owner=owner, alone=self.alone, workspaces=self.workspaces)

    def close(self) -> None:
        """Close all of it; closing twice is no error."""
        self.estate.close()
        self.directory.close()
        if self.lock is not None:
            self.lock.close()


def open_grounds(root: Path, *, database: str | None, blobs: str | None, secrets: str | None = None) -> Grounds:
    """Open what a service stands on, without making anything in it yet.

    Args:
        root: Folder of the service on this machine.
        database: URL of a PostgreSQL database; None is SQLite in the folder.
        blobs: URL or folder of the blobs; None is in the folder.
        secrets: URL of the store of the secrets; None is encrypted in the catalogues.

    Raises:
        InvalidArgument: A URL can't be read.
        MissingDependency: A package for the database or the blobs is not installed.
        Unavailable: The blobs can't be reached, or another process is migrating the service.
    """
    if blobs is not None:
        open_store(blobs).check()
    if secrets is not None:
        # What is wrong with the address is told now, and not to who sets the first secret.
        open_secrets(secrets, workspace_id="")
    if database is None:
        return _in_folder(root, blobs, secrets)
    if not is_postgresql(database):
        raise InvalidArgument(
            "a service keeps its catalogues in its folder, or in PostgreSQL: --database postgresql+psycopg://..."
        )
    return _on_server(root, database, blobs, secrets)


def _in_folder(root: Path, blobs: str | None, secrets: str | None) -> Grounds:
    lock = WorkspaceLock(root / _LOCK_FILE)
    try:
        lock.share(timeout_s=_WAIT_S)
    except BaseException:
        lock.close()
        raise
    return Grounds(
        directory=Database(f"sqlite:///{root / DIRECTORY_FILE}"),
        estate=FolderEstate(root, key_file=root / _KEY_FILE, blobs=blobs, secrets=secrets),
        alone=lambda: lock.alone(timeout_s=_MIGRATION_WAIT_S, otherwise=_IN_USE),
        workspaces=list,
        lock=lock,
    )


def _on_server(root: Path, url: str, blobs: str | None, secrets: str | None) -> Grounds:
    directory = Database(url, schema=DIRECTORY_SCHEMA)
    return Grounds(
        directory=directory,
        estate=ServerEstate(
            root,
            directory=directory,
            key_file=root / _KEY_FILE,
            blobs=str(root / "blobs") if blobs is None else blobs,
            secrets=secrets,
        ),
        alone=lambda: directory.alone(timeout_s=_MIGRATION_WAIT_S, otherwise=_IN_USE),
        workspaces=lambda: outdated(directory),
    )
