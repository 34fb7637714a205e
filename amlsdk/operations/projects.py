"""Operations on projects."""

from __future__ import annotations

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.pages import Ack, Page
from amlsdk.records.projects import ProjectRecord

__all__ = ["CreateProject", "DeleteProject", "GetProject", "ListProjects", "PublishProject", "UpdateProject"]


@operation("POST", "/v1/projects", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class CreateProject(Request[ProjectRecord]):
    """Create a project; the same request again answers the same, another of that name is a Conflict."""

    id: str
    name: str
    folder: str | None = None
    description: str = ""


@operation("GET", "/v1/projects/{project_id}", role=Role.READER)
@attrs.frozen(kw_only=True)
class GetProject(Request[ProjectRecord]):
    """Read a project."""

    project_id: str


@operation("GET", "/v1/projects", role=Role.READER)
@attrs.frozen(kw_only=True)
class ListProjects(Request[Page[ProjectRecord]]):
    """List projects by name, or find the one of a name."""

    name: str | None = None
    limit: int = 100
    after: str | None = None


@operation("PATCH", "/v1/projects/{project_id}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class UpdateProject(Request[ProjectRecord]):
    """Change a project; None leaves a field as it is."""

    project_id: str
    folder: str | None = None
    description: str | None = None


@operation("POST", "/v1/projects/{project_id}/publish", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class PublishProject(Request[ProjectRecord]):
    """Note where the code of a project can be had: `service` or the URL of a git repository, without credentials."""

    project_id: str
    remote: str
    branch: str
    head: str


@operation("DELETE", "/v1/projects/{project_id}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class DeleteProject(Request[Ack]):
    """Delete a project with its experiments and runs; a Conflict while runs are active or models came from them."""

    project_id: str
