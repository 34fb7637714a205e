"""A workspace in a folder, answered in this process."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Any

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.local.audit import Audit
from amlsdk.local.folder import REPOSITORIES, SECRETS_KEY, folder_of, open_workspace, workspace_id
from amlsdk.local.handling import HANDLERS, Local
from amlsdk.operations import Request, Role, operation_of
from amlsdk.repositories.making import bare_repository
from amlsdk.service import Backend, Guard, Principal, Service, Spool
from amlsdk.storage.blobs.folder import FolderBlobStore
from amlsdk.storage.outputs.folder import FolderOutputs
from amlsdk.storage.secrets.sealed import SealedSecrets

__all__ = ["LocalBackend"]


class LocalBackend(Backend):
    """A folder that keeps a workspace; several processes may have it open.

    Args:
        location: A path or a `file://` URL.
        create: Make a workspace where there is none.

    Raises:
        NotFound: There is no workspace, and none is to be made.
        InvalidArgument: The folder has other files, or is on a network file system.
        Conflict: A newer version of amlsdk made it.
        Unavailable: It can't be opened now; the message says why and what to do.
    """

    def __init__(self, location: str | os.PathLike[str], *, create: bool = True) -> None:
        self.folder: Path = folder_of(location)
        self.database, self._lock = open_workspace(self.folder, create=create)
        self.location = str(self.folder)
        self.blobs = FolderBlobStore(self.folder / "blobs")
        self.spool = Spool(
            journals=self.folder / "journals",
            runs=self.folder / "runs",
            shipped=False,
            blobs=self.folder / "blobs",
        )
        self._local = Local(
            folder=self.folder,
            database=self.database,
            blobs=self.blobs,
            outputs=FolderOutputs(self.folder),
            repositories=self.folder / REPOSITORIES,
            secrets=SealedSecrets(self.folder / SECRETS_KEY, workspace_id(self.database)),
        )
        try:
            self._audit = Audit(self.folder / "audit.jsonl", read_only=self.database.read_only)
        except BaseException:
            self.database.close()
            self._lock.close()
            raise
        self._closed = False

    def open(self, principal: Principal | None = None) -> Service:
        """Return a service for a caller; None is the user of the operating system, as owner."""
        caller = principal or Principal(name=user_name(), role=Role.OWNER)
        return Guard(caller, answer=self._answer, audit=self._audit.write)

    def repository(self, project_id: str) -> str:
        """Return the path of the git repository that comes with a project, made where there is none."""
        return str(bare_repository(self._local.repository(project_id)))

    def close(self) -> None:
        """Close files and connections; closing twice is no error."""
        self._closed = True
        self._audit.close()
        self.database.close()
        self._lock.close()

    def _answer(self, principal: Principal, request: Request[Any]) -> Any:
        if self._closed:
            raise Unavailable(f"the workspace {self.location!r} was closed; connect to it again")
        if operation_of(request).on is not None:
            raise InvalidArgument(
                f"{type(request).__name__}: a folder is one workspace of one user; members, teams and tokens are those "
                f"of a service: `aml serve --root {self.location}` serves it"
            )
        return HANDLERS[type(request)](self._local, principal, request)


def user_name() -> str:
    """Return the name of whoever runs this process, also where the system keeps none for the user's number."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"
