"""The workspaces of a service, each opened when it is first asked."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import attrs
from sqlalchemy import func, select

from amlsdk.errors import Conflict, Unavailable
from amlsdk.filesets.removing import remove_tree
from amlsdk.local.folder import REPOSITORIES, SECRETS_KEY, open_workspace
from amlsdk.local.handling import Local
from amlsdk.storage.blobs.base import BlobStore
from amlsdk.storage.blobs.folder import FolderBlobStore
from amlsdk.storage.blobs.opening import open_store
from amlsdk.storage.catalogue.schema import deployment, manifest, model, project
from amlsdk.storage.outputs.folder import FolderOutputs
from amlsdk.storage.secrets.base import SecretStore
from amlsdk.storage.secrets.opening import open_secrets
from amlsdk.storage.secrets.sealed import SealedSecrets

__all__ = ["Estate", "FolderEstate", "Open", "empty_store", "store_of"]

_HOLDS = (("projects", project), ("models", model), ("manifests", manifest), ("deployments", deployment))


@attrs.frozen
class Open:
    """A workspace that is open.

    Args:
        local: For the handlers.
        close: Ends its files and connections.
    """

    local: Local
    close: Callable[[], None]


class Estate(ABC):
    """Workspaces wherever they are kept. Safe across threads.

    Args:
        secrets: URL of the store of their secrets; None is encrypted in each catalogue.
    """

    def __init__(self, *, secrets: str | None = None) -> None:
        self._secrets = secrets
        self._open: dict[str, Open] = {}
        self._lock = threading.Lock()
        self._closed = False

    def local(self, workspace_id: str, name: str, place: str | None) -> Local:
        """Return a workspace, made where it was never used before.

        Args:
            workspace_id: As the directory has it.
            name: As the directory has it.
            place: Within the service's folder, where the directory names one.

        Raises:
            Unavailable: It can't be opened.
        """
        opened = self._open.get(workspace_id)
        if opened is not None:
            return opened.local
        with self._lock:
            if self._closed:
                raise Unavailable("the service is stopping; try again")
            if workspace_id not in self._open:
                self._open[workspace_id] = self.opened(workspace_id, name, place)
            return self._open[workspace_id].local

    def refuse_unless_empty(self, workspace_id: str) -> None:
        """See that a workspace holds nothing that somebody may want.

        Raises:
            Conflict: It does; the message says what.
        """
        with self._lock:
            opened = self._open.get(workspace_id)
        if opened is None and not self.is_made(workspace_id):
            return
        local = self.local(workspace_id, workspace_id, None)
        with local.database.read() as connection:
            for what, table in _HOLDS:
                count: int = connection.execute(select(func.count()).select_from(table)).scalar_one()
                if count:
                    raise Conflict(f"the workspace can't be deleted before what it holds: {count} {what}")

    def remove(self, workspace_id: str, place: str | None) -> None:
        """Remove what a workspace that is no longer in the directory kept."""
        with self._lock:
            opened = self._open.pop(workspace_id, None)
            if opened is not None:
                opened.close()
        # What was there before the service came is not the service's to remove.
        if place is None:
            self.removed(workspace_id)

    def close(self) -> None:
        """Close all of them; closing twice is no error."""
        with self._lock:
            self._closed = True
            for opened in self._open.values():
                opened.close()
            self._open.clear()

    def secrets_of(self, workspace_id: str, key_file: Path) -> SecretStore:
        """Return the secrets of a workspace."""
        if self._secrets is None:
            return SealedSecrets(key_file, workspace_id)
        return open_secrets(self._secrets, workspace_id=workspace_id)

    @abstractmethod
    def opened(self, workspace_id: str, name: str, place: str | None) -> Open:
        """Open a workspace that is not open yet, made where it was never used before."""

    @abstractmethod
    def is_made(self, workspace_id: str) -> bool:
        """Say whether a workspace was ever used."""

    @abstractmethod
    def removed(self, workspace_id: str) -> None:
        """Remove all that a workspace kept; nothing being there is no error."""


class FolderEstate(Estate):
    """Workspaces in a folder: each is one that `amlsdk.connect` opens too, where its files may be read.

    Args:
        root: Folder of the service.
        key_file: Of the secrets of all of them.
        blobs: URL of where their blobs are kept; None is in the folder of each.
        secrets: URL of the store of their secrets; None is encrypted in each catalogue.
    """

    def __init__(self, root: Path, *, key_file: Path, blobs: str | None = None, secrets: str | None = None) -> None:
        super().__init__(secrets=secrets)
        self._root, self._key_file, self._blobs = root, key_file, blobs

    def opened(self, workspace_id: str, name: str, place: str | None) -> Open:  # noqa: D102
        folder = self._folder(workspace_id, place)
        database, lock = open_workspace(folder, create=place is None, identity=(workspace_id, name))
        local = Local(
            folder=folder,
            database=database,
            blobs=self._store(workspace_id, folder, place),
            outputs=FolderOutputs(folder),
            repositories=folder / REPOSITORIES,
            secrets=self.secrets_of(workspace_id, self._key_file if place is None else folder / SECRETS_KEY),
            served=True,
        )

        def close() -> None:
            database.close()
            lock.close()

        return Open(local, close)

    def is_made(self, workspace_id: str) -> bool:  # noqa: D102
        return self._folder(workspace_id, None).exists()

    def removed(self, workspace_id: str) -> None:  # noqa: D102
        if self._blobs is not None:
            empty_store(store_of(self._blobs, workspace_id))
        remove_tree(self._folder(workspace_id, None))

    def _store(self, workspace_id: str, folder: Path, place: str | None) -> BlobStore:
        # A workspace that was there before the service has its blobs already.
        inside = self._blobs is None or place is not None
        return FolderBlobStore(folder / "blobs") if inside else store_of(str(self._blobs), workspace_id)

    def _folder(self, workspace_id: str, place: str | None) -> Path:
        return self._root / "workspaces" / workspace_id if place is None else self._root / place


def store_of(url: str, workspace_id: str) -> BlobStore:
    """Return the blob store of a workspace, in which those of others can't be found."""
    return open_store(url, prefix=f"workspaces/{workspace_id}")


def empty_store(blobs: BlobStore) -> None:
    """Delete all blobs of a workspace that is no more."""
    for digest, _, _ in list(blobs.digests()):
        blobs.delete(digest)
    blobs.remove_leftovers(older_than_s=0)
