"""Operations on the workspace."""

from __future__ import annotations

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.workspaces import GarbageRecord, WorkspaceRecord

__all__ = ["CollectGarbage", "GetWorkspace", "UpdateWorkspace"]


@operation("GET", "/v1/workspace", role=Role.READER)
@attrs.frozen(kw_only=True)
class GetWorkspace(Request[WorkspaceRecord]):
    """Read the workspace."""


@operation("PATCH", "/v1/workspace", role=Role.OWNER)
@attrs.frozen(kw_only=True)
class UpdateWorkspace(Request[WorkspaceRecord]):
    """Change settings of the workspace; None leaves a setting as it is."""

    slots: int | None = None


@operation("POST", "/v1/garbage", role=Role.OWNER)
@attrs.frozen(kw_only=True)
class CollectGarbage(Request[GarbageRecord]):
    """Remove blobs that nothing refers to and that are older than `grace_s` seconds."""

    grace_s: float = 7200.0
    dry_run: bool = False
