"""The first contact with a service: its directory is made or migrated, and its first owner is let in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from amlsdk.operations import Role
from amlsdk.records.ids import new_id
from amlsdk.records.names import check_key
from amlsdk.records.tenancy import TokenKind
from amlsdk.records.tokens import digest_of_token, id_of_token, new_token
from amlsdk.records.workspaces import MARK
from amlsdk.storage.catalogue import migrating
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.times import now_us
from amlsdk.storage.tenancy.schema import DIRECTORY, member, subscription, team, token, workspace
from amlsdk.tenancy.users import user_named

__all__ = ["begin"]

_LOG = logging.getLogger("amlsdk")


def begin(
    database: Database,
    *,
    root: Path,
    owner: str,
    alone: Callable[[], AbstractContextManager[None]],
    workspaces: Callable[[], list[Database]] = list,
) -> str | None:
    """See that there is a subscription with an owner, a team and a workspace, all with the present schema.

    Args:
        database: The directory's; its tables are made where there are none.
        root: Folder of the service; one that is a workspace itself becomes the first of the service.
        owner: Name of the first owner.
        alone: Sees that no other process uses the service while it is migrated, or raises `Unavailable`.
        workspaces: Says which workspaces have to be migrated with the directory; by default each is when it is opened.

    Returns:
        The first owner's token, where this call made it; it is kept nowhere.

    Raises:
        InvalidArgument: Nobody can have the owner's name.
        Conflict: A newer version of amlsdk made the service.
        Unavailable: It has an older schema, and other processes use it.
    """
    check_key(owner, what="user")
    migrating.create(database, DIRECTORY)
    if _old(database, workspaces):
        with alone():
            # Of two that came at once both saw the older schema; the second finds it migrated.
            for old, schema in _old(database, workspaces):
                migrating.migrate(old, schema)
                _LOG.info("migrated %s to schema %s", old.schema or old.url, schema.head)
    with database.write() as connection:
        if connection.execute(select(subscription.c.id)).first() is not None:
            return None
        made = _found(connection, root, owner)
    _LOG.info("began the service in %s, owned by %s", root, owner)
    return made


def _old(database: Database, workspaces: Callable[[], list[Database]]) -> list[tuple[Database, migrating.Schema]]:
    """The directory last: while it is old, a service whose migration was cut off is seen to need one."""
    old = [(each, migrating.WORKSPACE) for each in workspaces()]
    return old if migrating.is_current(database, DIRECTORY) else [*old, (database, DIRECTORY)]


def _found(connection: Connection, root: Path, owner: str) -> str:
    now, subscription_id, team_id = now_us(), new_id(), new_id()
    user_id = user_named(connection, owner)
    described = {"name": "default", "regions": "[]", "created_at": now}
    connection.execute(insert(subscription), {"id": subscription_id, **described})
    mine = {"resource_id": subscription_id, "user_id": user_id, "role": int(Role.OWNER)}
    connection.execute(insert(member), mine | {"invited_by": "", "created_at": now})
    described = {"name": "default", "resource_group": "", "description": "", "created_at": now}
    connection.execute(insert(team), {"id": team_id, **described})
    workspace_id, name, place = _first_workspace(root, in_folder=connection.dialect.name == "sqlite")
    row = {"id": workspace_id, "name": name, "team_id": team_id, "region": "", "description": "", "place": place}
    connection.execute(insert(workspace), row | {"created_at": now})
    return _first_token(connection, user_id)


def _first_workspace(root: Path, *, in_folder: bool) -> tuple[str, str, str | None]:
    mark = root / MARK
    if not (in_folder and mark.is_file()):
        return new_id(), "default", None
    return str(orjson.loads(mark.read_bytes())["id"]), "default", "."


def _first_token(connection: Connection, user_id: str) -> str:
    made = new_token()
    values: dict[str, Any] = {
        "id": id_of_token(made),
        "name": "first owner",
        "user_id": user_id,
        "digest": digest_of_token(made),
    }
    values |= {"kind": TokenKind.USER, "created_by": user_id, "created_at": now_us()}
    connection.execute(insert(token), values)
    return made
