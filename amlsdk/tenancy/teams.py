"""Teams: created, read, changed, deleted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, NotFound
from amlsdk.local.lookup import check_id
from amlsdk.local.pages import page_of
from amlsdk.operations import Role
from amlsdk.operations.tenancy import CreateTeam, DeleteTeam, GetTeam, ListTeams, UpdateTeam
from amlsdk.records.names import check_name, check_text, listed
from amlsdk.records.pages import Ack, Page
from amlsdk.records.tenancy import TeamRecord
from amlsdk.service import Principal
from amlsdk.storage.catalogue.times import from_us, now_us
from amlsdk.storage.tenancy.schema import member, team, workspace
from amlsdk.tenancy.handling import Directory, handles
from amlsdk.tenancy.roles import refuse_taken, visible_teams

__all__ = ["find_team"]


@handles(CreateTeam)
def create_team(directory: Directory, principal: Principal, request: CreateTeam) -> TeamRecord:
    """Create a team, or answer a repeated request with the one it created."""
    check_id(request.id, what="team")
    check_name(request.name, what="team")
    _check_texts(request.resource_group, request.description)
    with directory.database.write() as connection:
        clash = (team.c.id == request.id) | (team.c.name == request.name)
        rows = connection.execute(select(team).where(clash)).all()
        if not rows:
            refuse_taken(connection, request.id)
            _insert(connection, principal, request)
        for row in rows:
            _refuse_unless_same(row, request)
        return _record(find_team(connection, request.id))


@handles(GetTeam)
def get_team(directory: Directory, _: Principal, request: GetTeam) -> TeamRecord:
    """Read a team."""
    with directory.database.read() as connection:
        return _record(find_team(connection, request.team_id))


@handles(ListTeams)
def list_teams(directory: Directory, principal: Principal, request: ListTeams) -> Page[TeamRecord]:
    """List the caller's teams by name."""
    statement = select(team).where(visible_teams(principal))
    if request.name is not None:
        statement = statement.where(team.c.name == request.name)
    with directory.database.read() as connection:
        return page_of(connection, statement, [team.c.name], request, lambda rows: [_record(row) for row in rows])


@handles(UpdateTeam)
def update_team(directory: Directory, _: Principal, request: UpdateTeam) -> TeamRecord:
    """Change what is given."""
    _check_texts(request.resource_group, request.description)
    wanted = {"resource_group": request.resource_group, "description": request.description}
    changes = {name: value for name, value in wanted.items() if value is not None}
    with directory.database.write() as connection:
        if changes:
            connection.execute(update(team).where(team.c.id == request.team_id).values(changes))
        return _record(find_team(connection, request.team_id))


@handles(DeleteTeam)
def delete_team(directory: Directory, _: Principal, request: DeleteTeam) -> Ack:
    """Delete a team that has no workspaces."""
    with directory.database.write() as connection:
        row = find_team(connection, request.team_id)
        held = select(workspace.c.name).where(workspace.c.team_id == row.id).order_by(workspace.c.name).limit(9)
        names = list(connection.execute(held).scalars())
        if names:
            raise Conflict(f"team {row.name!r} can't be deleted before its workspaces: {listed(names)}")
        connection.execute(delete(member).where(member.c.resource_id == row.id))
        connection.execute(delete(team).where(team.c.id == row.id))
    return Ack()


def find_team(connection: Connection, team_id: str) -> Any:
    """Return the row of a team.

    Raises:
        NotFound: There is none of this id.
    """
    row = connection.execute(select(team).where(team.c.id == team_id)).first()
    if row is None:
        raise NotFound(f"there is no team {team_id[:80]!r}")
    return row


def _insert(connection: Connection, principal: Principal, request: CreateTeam) -> None:
    now = now_us()
    row = {"id": request.id, "name": request.name, "created_at": now}
    row |= {"resource_group": request.resource_group, "description": request.description}
    connection.execute(insert(team), row)
    owner = {"resource_id": request.id, "user_id": principal.user_id, "role": int(Role.OWNER)}
    connection.execute(insert(member), owner | {"invited_by": principal.name, "created_at": now})


def _refuse_unless_same(row: Any, request: CreateTeam) -> None:
    if row.id != request.id:
        raise Conflict(f"a team named {request.name!r} exists already")
    if (row.name, row.resource_group, row.description) != (request.name, request.resource_group, request.description):
        raise Conflict(f"team {row.id} exists already with other fields: it is named {row.name!r}")


def _check_texts(resource_group: str | None, description: str | None) -> None:
    check_text(resource_group or "", what="the resource group of a team")
    check_text(description or "", what="the description of a team")


def _record(row: Any) -> TeamRecord:
    return TeamRecord(
        id=row.id,
        name=row.name,
        resource_group=row.resource_group,
        description=row.description,
        created_at=from_us(row.created_at),
    )
