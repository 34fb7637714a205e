"""Who may do what: a role in a subscription holds in its teams, one in a team holds in its workspaces."""

from __future__ import annotations

from typing import Any

import attrs
from sqlalchemy import bindparam, func, literal, select, union_all
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.operations import Role
from amlsdk.records.tenancy import ROLES
from amlsdk.service import Principal
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.tenancy.schema import member, subscription, team, workspace

__all__ = ["Roles", "chain_of", "refuse_taken", "role_named", "role_text", "visible_teams", "visible_workspaces"]

# The ids of a resource and of what it is in: a workspace, its team, the subscription; found by any of the three.
_WANTED: Any = bindparam("wanted")
_CHAIN = union_all(
    select(workspace.c.id.label("id")).where(workspace.c.id == _WANTED),
    select(workspace.c.team_id).where(workspace.c.id == _WANTED),
    select(team.c.id).where(team.c.id == _WANTED),
    select(subscription.c.id),
).subquery()
_KNOWN = union_all(
    select(literal(1)).where(select(workspace.c.id).where(workspace.c.id == _WANTED).exists()),
    select(literal(1)).where(select(team.c.id).where(team.c.id == _WANTED).exists()),
    select(literal(1)).where(select(subscription.c.id).where(subscription.c.id == _WANTED).exists()),
).subquery()
_ROLE = select(
    func.max(member.c.role),
    select(func.count()).select_from(_KNOWN).scalar_subquery(),
).where(member.c.user_id == bindparam("user"), member.c.resource_id.in_(select(_CHAIN.c.id)))


@attrs.frozen
class Roles:
    """Looks roles up.

    Args:
        database: The directory's.
    """

    database: Database

    def on(self, principal: Principal, resource_id: str) -> Role:
        """Return a caller's role in a subscription, a team or a workspace.

        Raises:
            NotFound: There is none of this id, or they may not know of it.
        """
        with self.database.read() as connection:
            return self.read(connection, principal, resource_id)

    def read(self, connection: Connection, principal: Principal, resource_id: str) -> Role:
        """Return a caller's role, by a connection that is open already; see `on`."""
        found = connection.execute(_ROLE, {"wanted": resource_id, "user": principal.user_id}).one()
        role, is_known = found
        if not is_known or role is None or principal.workspace_id not in (None, resource_id):
            raise NotFound(f"there is no subscription, team or workspace {resource_id[:80]!r} that you are a member of")
        return min(Role(role), principal.role)

    def on_subscription(self, principal: Principal) -> Role | None:
        """Return a caller's role in the subscription; None where they have none, or show a token of a workspace."""
        try:
            with self.database.read() as connection:
                wanted: str = connection.execute(select(subscription.c.id)).scalar_one()
                return self.read(connection, principal, wanted)
        except NotFound:
            return None


def chain_of(connection: Connection, resource_id: str) -> list[str]:
    """Return the ids of a resource and of all that it is in."""
    return list(dict.fromkeys(connection.execute(select(_CHAIN.c.id), {"wanted": resource_id}).scalars()))


def refuse_taken(connection: Connection, resource_id: str) -> None:
    """See that nothing has an id yet: whoever makes something owns what has its id.

    Raises:
        Conflict: A subscription, a team or a workspace has it.
    """
    if connection.execute(select(func.count()).select_from(_KNOWN), {"wanted": resource_id}).scalar_one():
        raise Conflict(f"the id {resource_id} is in use already; make a new one")


def visible_teams(principal: Principal) -> Any:
    """Return the condition for teams that a caller is a member of, by themselves or through the subscription."""
    if principal.workspace_id is not None:
        return literal(False)
    return team.c.id.in_(_resources(principal)) | _in_subscription(principal)


def visible_workspaces(principal: Principal) -> Any:
    """Return the condition for workspaces that a caller may read."""
    mine = _resources(principal)
    seen = workspace.c.id.in_(mine) | workspace.c.team_id.in_(mine) | _in_subscription(principal)
    return seen if principal.workspace_id is None else seen & (workspace.c.id == principal.workspace_id)


def _resources(principal: Principal) -> Any:
    return select(member.c.resource_id).where(member.c.user_id == principal.user_id)


def _in_subscription(principal: Principal) -> Any:
    return (
        select(member.c.resource_id)
        .where(member.c.user_id == principal.user_id, member.c.resource_id.in_(select(subscription.c.id)))
        .exists()
    )


def role_named(text: str) -> Role:
    """Return the role of a name.

    Raises:
        InvalidArgument: There is none of this name.
    """
    if text not in ROLES:
        raise InvalidArgument(f"a role is one of {', '.join(ROLES)}, not {text[:80]!r}")
    return Role[text.upper()]


def role_text(role: int) -> str:
    """Return the name of a role."""
    return Role(role).name.lower()
