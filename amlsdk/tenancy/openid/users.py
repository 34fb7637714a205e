"""Who signed in, as a user of the service."""

from __future__ import annotations

from typing import Any

from sqlalchemy import exc, func, insert, select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Denied
from amlsdk.records.ids import new_id
from amlsdk.records.names import check_key
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.times import now_us
from amlsdk.storage.tenancy.schema import user
from amlsdk.tenancy.openid.provider import Identity

__all__ = ["user_of"]


def user_of(database: Database, issuer: str, found: Identity) -> str:
    """Return the id of a user, noted at the first sign-in: a member of nothing, or whoever was invited by this name.

    Raises:
        Denied: The provider tells no name that can be believed, or the name is somebody else's.
        InvalidArgument: Nobody can have this name.
    """
    try:
        with database.write() as connection:
            return _noted(connection, issuer, found)
    except exc.IntegrityError:
        # Another process was quicker with the same user.
        with database.write() as connection:
            return _noted(connection, issuer, found)


def _noted(connection: Connection, issuer: str, found: Identity) -> str:
    known = select(user.c.id).where(user.c.issuer == issuer, user.c.subject == found.subject)
    mine: str | None = connection.execute(known).scalar()
    if mine is not None:
        return mine
    if found.name is None:
        raise Denied(
            f"{issuer} tells no name for this user that can be believed, such as an email that it has verified; "
            "ask whoever runs the service (--openid-user-claim)"
        )
    row = _named(connection, check_key(found.name, what="user"))
    if row is None:
        made = new_id()
        values = {"id": made, "name": found.name, "issuer": issuer, "subject": found.subject, "created_at": now_us()}
        connection.execute(insert(user), values)
        return made
    if row.issuer is not None:
        raise Denied(f"the user {row.name!r} is somebody else to {row.issuer}; ask whoever runs the service")
    connection.execute(update(user).where(user.c.id == row.id).values(issuer=issuer, subject=found.subject))
    return str(row.id)


def _named(connection: Connection, name: str) -> Any:
    """Return who has a name; as addresses are meant, small letters and capitals are the same unless both are there."""
    rows = connection.execute(select(user).where(func.lower(user.c.name) == name.lower())).all()
    exact = [row for row in rows if row.name == name]
    found = exact or (rows if len(rows) == 1 else [])
    return found[0] if found else None
