"""Workspaces, as the directory has them: created, listed, deleted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.local.lookup import check_id
from amlsdk.local.pages import page_of
from amlsdk.local.workspaces import version
from amlsdk.operations import Role
from amlsdk.operations.tenancy import CreateWorkspace, DeleteWorkspace, ListWorkspaces
from amlsdk.records.names import check_name, check_text, listed
from amlsdk.records.pages import Ack, Page
from amlsdk.records.workspaces import WorkspaceRecord
from amlsdk.service import Principal
from amlsdk.storage.catalogue.times import from_us, now_us
from amlsdk.storage.tenancy.schema import member, subscription, workspace
from amlsdk.tenancy.handling import Directory, handles
from amlsdk.tenancy.roles import refuse_taken, role_text, visible_workspaces
from amlsdk.tenancy.subscription import regions_of

__all__ = ["find_workspace", "only_workspace", "workspace_record"]

_MOST_NAMED = 8

# The caller's role in a workspace, by themselves or through what it is in. Made once, as every request asks it: to
# build a statement takes longer than to carry it out.
_MINE = (
    select(func.max(member.c.role))
    .where(
        member.c.user_id == bindparam("user"),
        (member.c.resource_id == workspace.c.id)
        | (member.c.resource_id == workspace.c.team_id)
        | member.c.resource_id.in_(select(subscription.c.id)),
    )
    .correlate(workspace)
    .scalar_subquery()
)
_WITH_ROLE = select(workspace, _MINE.label("mine"))
_NAMED = _WITH_ROLE.where((workspace.c.id == bindparam("wanted")) | (workspace.c.name == bindparam("wanted")))
_SOME = _WITH_ROLE.where(_MINE.is_not(None)).order_by(workspace.c.name).limit(_MOST_NAMED + 1)


@handles(CreateWorkspace)
def create_workspace(directory: Directory, principal: Principal, request: CreateWorkspace) -> WorkspaceRecord:
    """Record a workspace, or answer a repeated request; what it keeps is made when it is first used."""
    check_id(request.id, what="workspace")
    check_name(request.name, what="workspace")
    check_text(request.description, what="the description of a workspace")
    with directory.database.write() as connection:
        clash = (workspace.c.id == request.id) | (workspace.c.name == request.name)
        rows = connection.execute(select(workspace).where(clash)).all()
        for row in rows:
            _refuse_unless_same(row, request)
        if not rows:
            refuse_taken(connection, request.id)
            _refuse_region(connection, request.region)
            _insert(connection, principal, request)
        row = connection.execute(select(workspace).where(workspace.c.id == request.id)).one()
        return workspace_record(row, role_text(directory.roles.read(connection, principal, row.id)))


@handles(ListWorkspaces)
def list_workspaces(directory: Directory, principal: Principal, request: ListWorkspaces) -> Page[WorkspaceRecord]:
    """List the workspaces that the caller may read, by name."""
    statement = select(workspace).where(visible_workspaces(principal))
    if request.team_id is not None:
        statement = statement.where(workspace.c.team_id == request.team_id)
    if request.name is not None:
        statement = statement.where(workspace.c.name == request.name)
    with directory.database.read() as connection:

        def records(rows: Any) -> list[WorkspaceRecord]:
            read = directory.roles.read
            return [workspace_record(row, role_text(read(connection, principal, row.id))) for row in rows]

        return page_of(connection, statement, [workspace.c.name], request, records)


@handles(DeleteWorkspace)
def delete_workspace(directory: Directory, _: Principal, request: DeleteWorkspace) -> Ack:
    """Delete a workspace that holds nothing any more."""
    directory.estate.refuse_unless_empty(request.workspace_id)
    with directory.database.write() as connection:
        row = connection.execute(select(workspace).where(workspace.c.id == request.workspace_id)).first()
        if row is None:
            return Ack()
        connection.execute(delete(member).where(member.c.resource_id == row.id))
        connection.execute(delete(workspace).where(workspace.c.id == row.id))
    directory.estate.remove(row.id, row.place)
    return Ack()


def find_workspace(connection: Connection, principal: Principal, wanted: str) -> Any:
    """Return the row of a workspace that a caller may read, by its name or id; with it, as `mine`, their role there.

    Raises:
        NotFound: There is none, or they may not know of it.
    """
    row = _visible(connection, principal, wanted)
    if row is None:
        raise NotFound(f"there is no workspace {wanted[:160]!r} that you are a member of")
    return row


def only_workspace(connection: Connection, principal: Principal) -> Any:
    """Return the row of the one workspace that is meant where none is named: the only one, or that named `default`.

    Raises:
        NotFound: There is none.
        InvalidArgument: There are several; the message names some.
    """
    rows = _some(connection, principal)
    if not rows:
        raise NotFound(f"{principal.name!r} is a member of no workspace; an owner of one can let you in")
    if len(rows) == 1:
        return rows[0]
    default = _visible(connection, principal, "default")
    if default is None or default.name != "default":
        names = listed((row.name for row in rows), most=_MOST_NAMED)
        raise InvalidArgument(f"you are a member of several workspaces; connect(..., workspace=...) takes one: {names}")
    return default


def _visible(connection: Connection, principal: Principal, wanted: str) -> Any:
    rows = connection.execute(_NAMED, {"wanted": wanted, "user": principal.user_id}).all()
    mine = (row for row in rows if row.mine is not None and principal.workspace_id in (None, row.id))
    return next(mine, None)


def _some(connection: Connection, principal: Principal) -> list[Any]:
    if principal.workspace_id is None:
        return list(connection.execute(_SOME, {"user": principal.user_id}).all())
    row = _visible(connection, principal, principal.workspace_id)
    return [] if row is None else [row]


def workspace_record(row: Any, role: str) -> WorkspaceRecord:
    """Return what the directory knows of a workspace."""
    return WorkspaceRecord(
        id=row.id,
        name=row.name,
        created_at=from_us(row.created_at),
        slots=0,
        version=version(),
        team_id=row.team_id,
        region=row.region,
        description=row.description,
        role=role,
    )


def _insert(connection: Connection, principal: Principal, request: CreateWorkspace) -> None:
    now = now_us()
    row = {"id": request.id, "name": request.name, "team_id": request.team_id, "region": request.region}
    connection.execute(insert(workspace), row | {"description": request.description, "created_at": now})
    owner = {"resource_id": request.id, "user_id": principal.user_id, "role": int(Role.OWNER)}
    connection.execute(insert(member), owner | {"invited_by": principal.name, "created_at": now})


def _refuse_region(connection: Connection, region: str) -> None:
    allowed = regions_of(connection)
    if allowed and region not in allowed:
        raise InvalidArgument(f"the subscription allows the regions {', '.join(allowed)}, not {region[:80]!r}")
    check_text(region, what="the region of a workspace")


def _refuse_unless_same(row: Any, request: CreateWorkspace) -> None:
    if row.id != request.id:
        # Whether one that the caller may not see has the name is told, as names are unique in the subscription.
        raise Conflict(f"a workspace named {request.name!r} exists already; name another")
    if (row.name, row.team_id, row.region) != (request.name, request.team_id, request.region):
        raise Conflict(f"workspace {row.id} exists already with other fields: it is named {row.name!r}")
