"""Tokens: made known, listed, renewed, revoked."""

from __future__ import annotations

import math
import re
from typing import Any

from sqlalchemy import Select, delete, insert, literal, select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, Denied, InvalidArgument, NotFound
from amlsdk.local.lookup import check_id
from amlsdk.local.pages import page_of
from amlsdk.operations import Role
from amlsdk.operations.tenancy import CreateToken, DeleteToken, ListTokens, RenewToken
from amlsdk.records.names import check_key
from amlsdk.records.pages import Ack, Page
from amlsdk.records.tenancy import TokenKind, TokenRecord
from amlsdk.service import Principal
from amlsdk.storage.catalogue.times import from_us, now_us
from amlsdk.storage.tenancy.schema import token, user
from amlsdk.tenancy.handling import Directory, handles
from amlsdk.tenancy.roles import role_named, role_text
from amlsdk.tenancy.users import find_user

__all__ = ["token_of"]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_KINDS = (TokenKind.USER, TokenKind.RUN, TokenKind.DEPLOYMENT, TokenKind.AGENT)
# What works on its own renews its token while it works, and so can't be left with one that opens for long.
_LONGEST_OF_WORK_S = 86_400.0
# So long the list says of a token that it has expired.
_SHOWN_AFTER_END_US = 30 * 86_400_000_000
_LONGEST_S = 10 * 366 * 86_400.0

_maker = user.alias("maker")
_SHOWN = (
    select(token, user.c.name.label("user"), _maker.c.name.label("maker"))
    .join(user, user.c.id == token.c.user_id)
    .join(_maker, _maker.c.id == token.c.created_by)
)


@handles(CreateToken)
def create_token(directory: Directory, principal: Principal, request: CreateToken) -> TokenRecord:
    """Record a token, or answer a repeated request with what it recorded."""
    _check(request)
    workspace_id = request.workspace_id or principal.workspace_id
    _refuse_more(directory, principal, workspace_id, for_another=request.user not in (None, principal.name))
    with directory.database.write() as connection:
        row = connection.execute(_SHOWN.where(token.c.id == request.id)).first()
        if row is not None and row.digest != request.digest:
            raise Conflict(f"a token with the id {request.id} exists already")
        if row is None:
            _forget_expired(connection)
            owner_id = principal.user_id if request.user is None else find_user(connection, request.user).id
            connection.execute(insert(token), _values(connection, principal, request, owner_id, workspace_id))
        return _record(connection.execute(_SHOWN.where(token.c.id == request.id)).one())


@handles(ListTokens)
def list_tokens(directory: Directory, principal: Principal, request: ListTokens) -> Page[TokenRecord]:
    """List tokens by age."""
    statement = _SHOWN
    if request.workspace_id is not None:
        _need_owner(directory, principal, request.workspace_id)
        statement = statement.where(token.c.workspace_id == request.workspace_id)
    elif request.everybody:
        _need_owner(directory, principal, None)
    else:
        statement = statement.where(token.c.user_id == principal.user_id, _within(principal))
    if request.kind is not None:
        statement = statement.where(token.c.kind == request.kind)
    with directory.database.read() as connection:
        return _page(connection, statement, request)


@handles(RenewToken)
def renew_token(directory: Directory, principal: Principal, request: RenewToken) -> TokenRecord:
    """Let a token live longer."""
    with directory.database.write() as connection:
        row = _found(connection, principal, request.token_id)
        by_itself = row.id == principal.token_id and row.kind != TokenKind.USER
        by_maker = row.created_by == principal.user_id and row.id != principal.token_id
        if not (by_itself or by_maker):
            raise Denied(f"the token {row.name!r} can be renewed by who made it, with another token")
        if row.expires_at is not None and row.expires_at <= now_us():
            raise Conflict(f"the token {row.name!r} has expired; make another")
        ends = _end(connection, principal, request.expires_in_s, row.kind)
        connection.execute(update(token).where(token.c.id == row.id).values(expires_at=ends))
        return _record(_found(connection, principal, request.token_id))


@handles(DeleteToken)
def delete_token(directory: Directory, principal: Principal, request: DeleteToken) -> Ack:
    """Revoke a token."""
    with directory.database.read() as connection:
        row = connection.execute(_SHOWN.where(token.c.id == request.token_id)).first()
    if row is None:
        return Ack()
    if principal.workspace_id not in (None, row.workspace_id):
        raise _unknown(request.token_id)
    if principal.user_id not in (row.user_id, row.created_by) and not _owns(directory, principal, row.workspace_id):
        raise _unknown(request.token_id)
    with directory.database.write() as connection:
        connection.execute(delete(token).where(token.c.id == row.id))
    return Ack()


def token_of(connection: Connection, token_id: str) -> TokenRecord | None:
    """Return the record of a token; None where there is none of this id."""
    row = connection.execute(_SHOWN.where(token.c.id == token_id)).first()
    return None if row is None else _record(row)


def _check(request: CreateToken) -> None:
    check_id(request.id, what="token")
    check_key(request.name, what="token")
    if not _DIGEST.fullmatch(request.digest):
        raise InvalidArgument("the digest of a token is its SHA-256: 64 of the digits 0-9 a-f")
    if request.kind not in _KINDS:
        raise InvalidArgument(f"a token is of the kind {', '.join(_KINDS)}, not {request.kind[:80]!r}")
    if request.role is not None:
        role_named(request.role)
    if request.kind != TokenKind.USER and request.expires_in_s is None:
        raise InvalidArgument(f"a token for a {request.kind} has an end: give expires_in_s")


def _refuse_more(directory: Directory, principal: Principal, workspace_id: str | None, *, for_another: bool) -> None:
    """See that a token opens no more than its maker may."""
    if workspace_id is not None:
        directory.roles.on(principal, workspace_id)
    if for_another:
        _need_owner(directory, principal, workspace_id)


def _need_owner(directory: Directory, principal: Principal, workspace_id: str | None) -> None:
    if not _owns(directory, principal, workspace_id):
        where = "the subscription" if workspace_id is None else "this workspace"
        raise Denied(f"tokens of others are for the owners of {where}; {principal.name!r} is none")


def _owns(directory: Directory, principal: Principal, workspace_id: str | None) -> bool:
    if workspace_id is None:
        return directory.roles.on_subscription(principal) == Role.OWNER
    try:
        return directory.roles.on(principal, workspace_id) == Role.OWNER
    except NotFound:
        return False


def _values(
    connection: Connection, principal: Principal, request: CreateToken, owner_id: str, workspace_id: str | None
) -> dict[str, Any]:
    wanted = Role.OWNER if request.role is None else role_named(request.role)
    capped = min(wanted, principal.role)
    return {
        "id": request.id,
        "name": request.name,
        "user_id": owner_id,
        "digest": request.digest,
        "kind": request.kind,
        "role": None if capped == Role.OWNER else int(capped),
        "workspace_id": workspace_id,
        "created_by": principal.user_id,
        "created_at": now_us(),
        "expires_at": _end(connection, principal, request.expires_in_s, request.kind),
    }


def _end(connection: Connection, principal: Principal, expires_in_s: float | None, kind: str) -> int | None:
    if expires_in_s is not None and not (math.isfinite(expires_in_s) and 0 < expires_in_s <= _LONGEST_S):
        raise InvalidArgument(f"expires_in_s is a number of seconds above 0, up to ten years, not {expires_in_s}")
    if kind != TokenKind.USER and expires_in_s is not None and expires_in_s > _LONGEST_OF_WORK_S:
        raise InvalidArgument(f"a token for a {kind} is renewed while it works, and ends within a day: at most 86400 s")
    ends = None if expires_in_s is None else now_us() + int(expires_in_s * 1_000_000)
    mine = select(token.c.expires_at).where(token.c.id == principal.token_id)
    latest: int | None = connection.execute(mine).scalar()
    # Who was given a token for a while must not make one that lasts. What works renews its own, and those it gives on.
    if latest is None or kind != TokenKind.USER:
        return ends
    return latest if ends is None else min(ends, latest)


def _within(principal: Principal) -> Any:
    """Return the condition for tokens that a caller may know of by the token they show.

    Who was given a token of one workspace, as a script is, or made one there for somebody else, reaches by it none of
    that user's other tokens.
    """
    return literal(True) if principal.workspace_id is None else token.c.workspace_id == principal.workspace_id


def _found(connection: Connection, principal: Principal, token_id: str) -> Any:
    row = connection.execute(_SHOWN.where(token.c.id == token_id, _within(principal))).first()
    if row is None:
        raise _unknown(token_id)
    return row


def _unknown(token_id: str) -> NotFound:
    return NotFound(f"there is no token {token_id[:80]!r} of yours")


def _forget_expired(connection: Connection) -> None:
    # What works revokes its token, but not where it was killed; those would gather for ever.
    connection.execute(delete(token).where(token.c.expires_at < now_us() - _SHOWN_AFTER_END_US))


def _page(connection: Connection, statement: Select[Any], request: ListTokens) -> Page[TokenRecord]:
    return page_of(connection, statement, [token.c.id], request, lambda rows: [_record(row) for row in rows])


def _record(row: Any) -> TokenRecord:
    return TokenRecord(
        id=row.id,
        name=row.name,
        user=row.user,
        kind=row.kind,
        role=None if row.role is None else role_text(row.role),
        workspace_id=row.workspace_id,
        created_at=from_us(row.created_at),
        created_by=row.maker,
        expires_at=None if row.expires_at is None else from_us(row.expires_at),
        last_used_at=None if row.last_used_at is None else from_us(row.last_used_at),
    )
