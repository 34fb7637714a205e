"""The subscription, and who asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.local.workspaces import version
from amlsdk.operations.tenancy import GetCaller, GetSubscription, UpdateSubscription
from amlsdk.records.names import check_key, check_name, listed
from amlsdk.records.tenancy import CallerRecord, SubscriptionRecord
from amlsdk.service import Principal
from amlsdk.storage.catalogue.times import from_us
from amlsdk.storage.tenancy.schema import subscription, workspace
from amlsdk.tenancy.handling import Directory, handles
from amlsdk.tenancy.roles import role_text
from amlsdk.tenancy.tokens import token_of

__all__ = ["regions_of"]

_MOST_REGIONS = 1000


@handles(GetCaller)
def get_caller(directory: Directory, principal: Principal, _: GetCaller) -> CallerRecord:
    """Say who asks."""
    role = directory.roles.on_subscription(principal)
    with directory.database.read() as connection:
        shown = token_of(connection, principal.token_id)
    return CallerRecord(
        user=principal.name, user_id=principal.user_id, role=None if role is None else role_text(role), token=shown
    )


@handles(GetSubscription)
def get_subscription(directory: Directory, _: Principal, __: GetSubscription) -> SubscriptionRecord:
    """Read the subscription."""
    with directory.database.read() as connection:
        return _record(directory, connection)


@handles(UpdateSubscription)
def update_subscription(directory: Directory, _: Principal, request: UpdateSubscription) -> SubscriptionRecord:
    """Change what is given."""
    changes: dict[str, Any] = {}
    if request.name is not None:
        changes["name"] = check_name(request.name, what="subscription")
    if request.regions is not None:
        changes["regions"] = orjson.dumps(_checked(request.regions)).decode()
    with directory.database.write() as connection:
        if request.regions:
            _refuse_if_used(connection, request.regions)
        if changes:
            connection.execute(update(subscription).values(changes))
        return _record(directory, connection)


def regions_of(connection: Connection) -> tuple[str, ...]:
    """Return the labels that workspaces may carry; none where any may be used."""
    return tuple(orjson.loads(connection.execute(select(subscription.c.regions)).scalar_one()))


def _checked(regions: Sequence[str]) -> list[str]:
    if len(regions) > _MOST_REGIONS:
        raise InvalidArgument(f"a subscription has at most {_MOST_REGIONS} regions, not {len(regions)}")
    return list(dict.fromkeys(check_key(region, what="region") for region in regions))


def _refuse_if_used(connection: Connection, regions: Sequence[str]) -> None:
    others = select(workspace.c.name, workspace.c.region).where(
        workspace.c.region != "", workspace.c.region.not_in(list(regions))
    )
    rows = connection.execute(others.order_by(workspace.c.name).limit(9)).all()
    if rows:
        names = listed(f"{row.name} ({row.region})" for row in rows)
        raise Conflict(f"workspaces are in regions that would no longer be allowed: {names}")


def _record(directory: Directory, connection: Connection) -> SubscriptionRecord:
    row = connection.execute(select(subscription)).one()
    return SubscriptionRecord(
        id=row.id,
        name=row.name,
        created_at=from_us(row.created_at),
        regions=tuple(orjson.loads(row.regions)),
        version=version(),
        sign_in=directory.sign_in,
    )
