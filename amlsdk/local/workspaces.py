"""The workspace itself."""

from __future__ import annotations

import functools
from importlib import metadata
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import InvalidArgument
from amlsdk.local.handling import Local, handles
from amlsdk.operations.workspaces import GetWorkspace, UpdateWorkspace
from amlsdk.records.workspaces import WorkspaceRecord
from amlsdk.service import Principal
from amlsdk.storage.catalogue.schema import workspace
from amlsdk.storage.catalogue.times import from_us

__all__ = ["version"]

_MOST_SLOTS = 10_000


@handles(GetWorkspace)
def get_workspace(local: Local, _: Principal, __: GetWorkspace) -> WorkspaceRecord:
    """Read the workspace."""
    with local.database.read() as connection:
        return _record(connection)


@handles(UpdateWorkspace)
def update_workspace(local: Local, _: Principal, request: UpdateWorkspace) -> WorkspaceRecord:
    """Change what is given."""
    if request.slots is not None and not 1 <= request.slots <= _MOST_SLOTS:
        raise InvalidArgument(f"slots are 1 to {_MOST_SLOTS} runs at once, not {request.slots}")
    with local.database.write() as connection:
        if request.slots is not None:
            connection.execute(update(workspace).values(slots=request.slots))
        return _record(connection)


def _record(connection: Connection) -> WorkspaceRecord:
    row: Any = connection.execute(select(workspace)).one()
    return WorkspaceRecord(
        id=row.id,
        name=row.name,
        created_at=from_us(row.created_at),
        slots=row.slots,
        version=version(),
    )


@functools.cache
def version() -> str:
    """Return the version of amlsdk that answers."""
    try:
        return metadata.version("amlsdk")
    except metadata.PackageNotFoundError:
        # Imported from a folder that nobody installed.
        return ""
