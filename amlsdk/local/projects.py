"""Projects: created, read, changed, deleted."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, insert, select, update

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.filesets.removing import remove_tree
from amlsdk.local.handling import Local, handles
from amlsdk.local.lookup import check_id, find_project
from amlsdk.local.pages import page_of
from amlsdk.local.removal import refuse_if_needed, remove_runs
from amlsdk.operations.projects import (
    CreateProject,
    DeleteProject,
    GetProject,
    ListProjects,
    PublishProject,
    UpdateProject,
)
from amlsdk.records.names import check_name, check_text
from amlsdk.records.pages import Ack, Page
from amlsdk.records.projects import ProjectRecord
from amlsdk.service import Principal
from amlsdk.storage.catalogue.schema import project, run
from amlsdk.storage.catalogue.times import from_us, now_us

__all__: list[str] = []

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@handles(CreateProject)
def create_project(local: Local, _: Principal, request: CreateProject) -> ProjectRecord:
    """Create a project, or answer a repeated request with the one it created."""
    check_id(request.id, what="project")
    check_name(request.name, what="project")
    _check_texts(request.folder, request.description)
    with local.database.write() as connection:
        clash = (project.c.id == request.id) | (project.c.name == request.name)
        same = _same(connection.execute(select(project).where(clash)).all(), request)
        if same is None:
            row = {"id": request.id, "name": request.name, "folder": request.folder, "last_run_number": 0}
            row |= {"description": request.description, "created_at": now_us()}
            connection.execute(insert(project), row)
        return same or _record(find_project(connection, request.id))


@handles(GetProject)
def get_project(local: Local, _: Principal, request: GetProject) -> ProjectRecord:
    """Read a project."""
    with local.database.read() as connection:
        return _record(find_project(connection, request.project_id))


@handles(ListProjects)
def list_projects(local: Local, _: Principal, request: ListProjects) -> Page[ProjectRecord]:
    """List projects by name."""
    statement = select(project)
    if request.name is not None:
        statement = statement.where(project.c.name == request.name)
    with local.database.read() as connection:
        return page_of(connection, statement, [project.c.name], request, lambda rows: [_record(row) for row in rows])


@handles(UpdateProject)
def update_project(local: Local, _: Principal, request: UpdateProject) -> ProjectRecord:
    """Change what is given."""
    _check_texts(request.folder, request.description)
    wanted = {"folder": request.folder, "description": request.description}
    changes = {name: value for name, value in wanted.items() if value is not None}
    with local.database.write() as connection:
        find_project(connection, request.project_id)
        if changes:
            connection.execute(update(project).where(project.c.id == request.project_id).values(changes))
        return _record(find_project(connection, request.project_id))


@handles(PublishProject)
def publish_project(local: Local, _: Principal, request: PublishProject) -> ProjectRecord:
    """Note where the code can be had."""
    _check_publication(request)
    values = {"remote": request.remote, "branch": request.branch, "head": request.head, "published_at": now_us()}
    with local.database.write() as connection:
        find_project(connection, request.project_id)
        connection.execute(update(project).where(project.c.id == request.project_id).values(values))
        return _record(find_project(connection, request.project_id))


@handles(DeleteProject)
def delete_project(local: Local, _: Principal, request: DeleteProject) -> Ack:
    """Delete a project and all that is in it, unless something outside needs it."""
    inside = run.c.project_id == request.project_id
    with remove_runs(local, inside) as connection:
        refuse_if_needed(connection, f"project {request.project_id}", inside)
        found = connection.execute(select(project.c.id).where(project.c.id == request.project_id)).scalar()
        connection.execute(delete(project).where(project.c.id == request.project_id))
    if found is not None:
        remove_tree(local.repository(found))
    return Ack()


def _same(rows: Any, request: CreateProject) -> ProjectRecord | None:
    for row in rows:
        if row.id != request.id:
            raise Conflict(f"a project named {request.name!r} exists already: {row.id}")
        if (row.name, row.folder, row.description) != (request.name, request.folder, request.description):
            raise Conflict(f"project {row.id} exists already with other fields: it is named {row.name!r}")
        return _record(row)
    return None


def _check_texts(folder: str | None, description: str | None) -> None:
    check_text(folder or "", what="the folder of a project")
    check_text(description or "", what="the description of a project")


def _check_publication(request: PublishProject) -> None:
    check_text(request.remote, what="the remote of a project")
    check_text(request.branch, what="the branch of a project")
    if not request.remote or not request.branch:
        raise InvalidArgument("a project is published to a remote, on a branch; both are needed")
    if _has_password(request.remote):
        raise InvalidArgument(
            "the remote of a project has a password in it, which all members would read; leave it out"
        )
    if not _COMMIT.fullmatch(request.head):
        raise InvalidArgument(f"{request.head[:80]!r} is no commit: 40 or 64 of the digits 0-9 a-f")


def _has_password(remote: str) -> bool:
    try:
        return urlsplit(remote).password is not None
    except ValueError as error:
        raise InvalidArgument(f"{remote[:160]!r} is no remote: {error}") from error


def _record(row: Any) -> ProjectRecord:
    return ProjectRecord(
        id=row.id,
        name=row.name,
        folder=row.folder,
        description=row.description,
        created_at=from_us(row.created_at),
        remote=row.remote,
        branch=row.branch,
        head=row.head,
        published_at=None if row.published_at is None else from_us(row.published_at),
    )
