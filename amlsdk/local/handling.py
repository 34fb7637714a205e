"""What handlers are given, and the registry of them: one function an operation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs

from amlsdk.operations import Request
from amlsdk.service import Principal
from amlsdk.storage.blobs.folder import FolderBlobStore
from amlsdk.storage.catalogue.database import Database

__all__ = ["HANDLERS", "Local", "handles"]

R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


@attrs.frozen(kw_only=True)
class Local:
    """A workspace in a folder, as handlers see it.

    Args:
        folder: Absolute path of the workspace.
        database: Its catalogue.
        blobs: Its blob store.
    """

    folder: Path
    database: Database
    blobs: FolderBlobStore

    @property
    def journals(self) -> Path:
        """Folder of the journals that are not yet ingested to their end."""
        return self.folder / "journals"

    def run_folder(self, run_id: str) -> Path:
        """Folder of what a run writes while it executes; `run_id` comes from the catalogue, never from a caller."""
        return self.folder / "runs" / run_id

    def log_file(self, owner_id: str) -> Path:
        """The log of a build or a deployment; the id comes from the catalogue, never from a caller."""
        return self.folder / "logs" / f"{owner_id}.log"

    def deployment_folder(self, deployment_id: str) -> Path:
        """Folder of what a deployment on this machine needs; the id comes from the catalogue."""
        return self.folder / "deployments" / deployment_id


# Filled while the modules of this package are imported, and never after.
HANDLERS: dict[type[Request[Any]], Callable[[Local, Principal, Any], Any]] = {}


def handles(request: type[Request[R]]) -> Callable[[F], F]:
    """Enter the handler `(local, principal, request) -> reply` of an operation."""

    def enter(handler: F) -> F:
        HANDLERS[request] = handler
        return handler

    return enter
