"""The workspaces of a service, each opened when it is first asked."""

from __future__ import annotations

import threading
from pathlib import Path

import attrs
from sqlalchemy import func, select

from amlsdk.errors import Conflict, Unavailable
from amlsdk.filesets.removing import remove_tree
from amlsdk.local.folder import open_workspace
from amlsdk.local.handling import Local
from amlsdk.local.locking import WorkspaceLock
from amlsdk.storage.blobs.folder import FolderBlobStore
from amlsdk.storage.catalogue.schema import deployment, manifest, model, project
from amlsdk.storage.outputs.folder import FolderOutputs
from amlsdk.storage.secrets.sealed import SealedSecrets

__all__ = ["FolderEstate"]

_HOLDS = (("projects", project), ("models", model), ("manifests", manifest), ("deployments", deployment))


@attrs.frozen
class _Open:
    local: Local
    lock: WorkspaceLock

    def close(self) -> None:
        self.local.database.close()
        self.lock.close()


class FolderEstate:
    """Workspaces in a folder: each is one that `amlsdk.connect` opens too, where its files may be read.

    Args:
        root: Folder of the service.
        key_file: Of the secrets of all of them.
    """

    def __init__(self, root: Path, *, key_file: Path) -> None:
        self._root, self._key_file = root, key_file
        self._open: dict[str, _Open] = {}
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
                self._open[workspace_id] = self._opened(workspace_id, name, place)
            return self._open[workspace_id].local

    def refuse_unless_empty(self, workspace_id: str) -> None:  # noqa: D102
        with self._lock:
            opened = self._open.get(workspace_id)
        if opened is None and not self._folder(workspace_id, None).exists():
            return
        local = self.local(workspace_id, workspace_id, None)
        with local.database.read() as connection:
            for what, table in _HOLDS:
                count: int = connection.execute(select(func.count()).select_from(table)).scalar_one()
                if count:
                    raise Conflict(f"the workspace can't be deleted before what it holds: {count} {what}")

    def remove(self, workspace_id: str, place: str | None) -> None:  # noqa: D102
        with self._lock:
            opened = self._open.pop(workspace_id, None)
            if opened is not None:
                opened.close()
        # What was there before the service came is not the service's to remove.
        if place is None:
            remove_tree(self._folder(workspace_id, None))

    def close(self) -> None:
        """Close all of them; closing twice is no error."""
        with self._lock:
            self._closed = True
            for opened in self._open.values():
                opened.close()
            self._open.clear()

    def _opened(self, workspace_id: str, name: str, place: str | None) -> _Open:
        folder = self._folder(workspace_id, place)
        database, lock = open_workspace(folder, create=place is None, identity=(workspace_id, name))
        local = Local(
            folder=folder,
            database=database,
            blobs=FolderBlobStore(folder / "blobs"),
            outputs=FolderOutputs(folder),
            secrets=SealedSecrets(self._key_of(folder, place), workspace_id),
            served=True,
        )
        return _Open(local, lock)

    def _key_of(self, folder: Path, place: str | None) -> Path:
        from amlsdk.local.folder import SECRETS_KEY

        return self._key_file if place is None else folder / SECRETS_KEY

    def _folder(self, workspace_id: str, place: str | None) -> Path:
        return self._root / "workspaces" / workspace_id if place is None else self._root / place
