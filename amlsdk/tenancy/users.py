"""Users: known by a name from when somebody first lets them in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from amlsdk.errors import NotFound
from amlsdk.records.ids import new_id
from amlsdk.records.names import check_key
from amlsdk.storage.catalogue.times import now_us
from amlsdk.storage.tenancy.schema import user

__all__ = ["find_user", "user_named"]


def user_named(connection: Connection, name: str) -> str:
    """Return the id of a user, who is noted where there was none of this name.

    Raises:
        InvalidArgument: Nobody can have this name.
    """
    check_key(name, what="user")
    found: str | None = connection.execute(select(user.c.id).where(user.c.name == name)).scalar()
    if found is not None:
        return found
    made = new_id()
    connection.execute(insert(user), {"id": made, "name": name, "created_at": now_us()})
    return made


def find_user(connection: Connection, name: str) -> Any:
    """Return the row of a user.

    Raises:
        NotFound: There is none of this name.
    """
    row = connection.execute(select(user).where(user.c.name == name)).first()
    if row is None:
        raise NotFound(f"there is no user {name[:80]!r}; make them a member of something first")
    return row
