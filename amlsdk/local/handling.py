"""What handlers are given, and the registry of them: one function an operation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs

from amlsdk.operations import Request
from amlsdk.processes import is_gone, this_process
from amlsdk.records.jobs import ProcessIdentity
from amlsdk.service import Principal
from amlsdk.storage.blobs.base import BlobStore
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.outputs.base import OutputStore
from amlsdk.storage.secrets.base import SecretStore

__all__ = ["HANDLERS", "Local", "handles"]

R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


@attrs.frozen(kw_only=True)
class Local:
    """A workspace, as handlers see it.

    Args:
        folder: Absolute path of what belongs to it on this machine; where the catalogue is on a server, the folder
            has nothing in it that another process needs.
        database: Its catalogue.
        blobs: Its blob store.
        outputs: What runs, builds and deployments printed.
        secrets: Its secret store.
        repositories: Folder of the git repositories that come with its projects, common to all processes.
        served: Whether clients are elsewhere, so that what can be told of a process here is not the whole truth.
    """

    folder: Path
    database: Database
    blobs: BlobStore
    outputs: OutputStore
    secrets: SecretStore
    repositories: Path
    served: bool = False

    @property
    def journals(self) -> Path:
        """Folder of the journals that are not yet ingested to their end."""
        return self.folder / "journals"

    def run_folder(self, run_id: str) -> Path:
        """Folder of what a run writes while it executes; `run_id` comes from the catalogue, never from a caller."""
        return self.folder / "runs" / run_id

    def deployment_folder(self, deployment_id: str) -> Path:
        """Folder of what a deployment on this machine needs; the id comes from the catalogue."""
        return self.folder / "deployments" / deployment_id

    def repository(self, project_id: str) -> Path:
        """Folder of the git repository that comes with a project; the id comes from the catalogue."""
        return self.repositories / f"{project_id}.git"

    def is_gone(self, identity: ProcessIdentity) -> bool | None:
        """Say whether a process has ended; None where that can't be known from here."""
        # Machines may share a name, and containers share it with their host: from afar, only a process of this very
        # boot is known.
        if self.served and identity.boot_id != this_process().boot_id:
            return None
        return is_gone(identity)


# Filled while the modules of this package are imported, and never after.
HANDLERS: dict[type[Request[Any]], Callable[[Local, Principal, Any], Any]] = {}


def handles(request: type[Request[R]]) -> Callable[[F], F]:
    """Enter the handler `(local, principal, request) -> reply` of an operation."""

    def enter(handler: F) -> F:
        HANDLERS[request] = handler
        return handler

    return enter
