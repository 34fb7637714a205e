"""Members: let in, listed, given another role, removed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, NotFound
from amlsdk.local.pages import page_of
from amlsdk.operations import Role
from amlsdk.operations.tenancy import CreateMember, DeleteMember, ListMembers, UpdateMember
from amlsdk.records.pages import Ack, Page
from amlsdk.records.tenancy import MemberRecord
from amlsdk.service import Principal
from amlsdk.storage.catalogue.times import from_us, now_us
from amlsdk.storage.tenancy.schema import member, subscription, user
from amlsdk.tenancy.handling import Directory, handles
from amlsdk.tenancy.roles import chain_of, role_named, role_text
from amlsdk.tenancy.users import user_named

__all__: list[str] = []

_SHOWN = select(member, user.c.name).join(user, user.c.id == member.c.user_id)


@handles(CreateMember)
def create_member(directory: Directory, principal: Principal, request: CreateMember) -> MemberRecord:
    """Let a user in, or answer a repeated request with what it did."""
    role = role_named(request.role)
    with directory.database.write() as connection:
        user_id = user_named(connection, request.user)
        row = _row(connection, request.resource_id, user_id)
        if row is not None and row.role != role:
            raise Conflict(
                f"{request.user!r} is {role_text(row.role)} here already; change the role of the member instead"
            )
        if row is None:
            values = {"resource_id": request.resource_id, "user_id": user_id, "role": int(role)}
            connection.execute(insert(member), values | {"invited_by": principal.name, "created_at": now_us()})
        return _record(_row(connection, request.resource_id, user_id), request.resource_id)


@handles(ListMembers)
def list_members(directory: Directory, _: Principal, request: ListMembers) -> Page[MemberRecord]:
    """List members by name, with those who inherit a role."""
    with directory.database.read() as connection:
        statement = _SHOWN.where(member.c.resource_id.in_(chain_of(connection, request.resource_id)))
        if request.user is not None:
            statement = statement.where(user.c.name == request.user)
        keys = [user.c.name, member.c.resource_id]
        return page_of(
            connection, statement, keys, request, lambda rows: [_record(row, request.resource_id) for row in rows]
        )


@handles(UpdateMember)
def update_member(directory: Directory, _: Principal, request: UpdateMember) -> MemberRecord:
    """Change a role."""
    role = role_named(request.role)
    with directory.database.write() as connection:
        row = _found(connection, request)
        if role != Role.OWNER:
            _refuse_if_last(connection, row)
        mine = (member.c.resource_id == row.resource_id) & (member.c.user_id == row.user_id)
        connection.execute(update(member).where(mine).values(role=int(role)))
        return _record(_found(connection, request), request.resource_id)


@handles(DeleteMember)
def delete_member(directory: Directory, _: Principal, request: DeleteMember) -> Ack:
    """Remove a member; what they made stays."""
    with directory.database.write() as connection:
        row = _row(connection, request.resource_id, request.user_id)
        if row is not None:
            _refuse_if_last(connection, row)
            mine = (member.c.resource_id == row.resource_id) & (member.c.user_id == row.user_id)
            connection.execute(delete(member).where(mine))
    return Ack()


def _refuse_if_last(connection: Connection, row: Any) -> None:
    """See that somebody is left who may do everything."""
    if row.role != Role.OWNER or row.resource_id != connection.execute(select(subscription.c.id)).scalar_one():
        return
    owners = select(func.count()).where(member.c.resource_id == row.resource_id, member.c.role == int(Role.OWNER))
    if connection.execute(owners).scalar_one() == 1:
        raise Conflict(f"{row.name!r} is the last owner of the subscription; make somebody else one first")


def _row(connection: Connection, resource_id: str, user_id: str) -> Any:
    mine = (member.c.resource_id == resource_id) & (member.c.user_id == user_id)
    return connection.execute(_SHOWN.where(mine)).first()


def _found(connection: Connection, request: UpdateMember) -> Any:
    row = _row(connection, request.resource_id, request.user_id)
    if row is None:
        raise NotFound(f"no member with the id {request.user_id[:80]!r} was let in here")
    return row


def _record(row: Any, resource_id: str) -> MemberRecord:
    return MemberRecord(
        resource_id=resource_id,
        user_id=row.user_id,
        user=row.name,
        role=role_text(row.role),
        created_at=from_us(row.created_at),
        invited_by=row.invited_by,
        inherited_from=None if row.resource_id == resource_id else row.resource_id,
    )
