"""Who shows a token."""

from __future__ import annotations

import contextlib
import hmac
import threading

import attrs
from sqlalchemy import bindparam, select, update

from amlsdk.errors import NotSignedIn, Unavailable
from amlsdk.operations import Role
from amlsdk.records.tokens import digest_of_token, id_of_token
from amlsdk.service import Principal
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.times import now_us
from amlsdk.storage.tenancy.schema import token, user

__all__ = ["SignIn"]

_TOKEN = (
    select(token, user.c.name.label("user"))
    .join(user, user.c.id == token.c.user_id)
    .where(token.c.id == bindparam("wanted"))
)
_NOTED_EVERY_US = 60_000_000
_MOST_NOTED = 100_000


@attrs.define
class SignIn:
    """Knows tokens by their digests. Safe across threads.

    Args:
        database: The directory's.
    """

    database: Database
    _noted: dict[str, int] = attrs.field(factory=dict, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def principal(self, shown: str | None) -> Principal:
        """Return whoever shows a token.

        Raises:
            NotSignedIn: It opens nothing.
        """
        if not shown:
            raise NotSignedIn("no token was shown: give one (token=..., AMLSDK_TOKEN, or `aml login`)")
        token_id = id_of_token(shown)
        with self.database.read() as connection:
            row = connection.execute(_TOKEN, {"wanted": token_id or ""}).first()
        if row is None or not hmac.compare_digest(row.digest, digest_of_token(shown)):
            raise NotSignedIn("the token is unknown here, or was revoked; ask for another, or `aml login` again")
        if row.expires_at is not None and row.expires_at <= now_us():
            raise NotSignedIn(f"the token {row.name!r} has expired; make another, or `aml login` again")
        self._note_use(row.id, row.last_used_at)
        return Principal(
            name=row.user,
            role=Role.OWNER if row.role is None else Role(row.role),
            user_id=row.user_id,
            token_id=row.id,
            workspace_id=row.workspace_id,
        )

    def _note_use(self, token_id: str, last_used_at: int | None) -> None:
        """Write down that a token was shown, once a minute: reading is cheap, writing is not."""
        now = now_us()
        with self._lock:
            if len(self._noted) > _MOST_NOTED:
                self._noted.clear()
            if now - max(self._noted.get(token_id, 0), last_used_at or 0) < _NOTED_EVERY_US:
                return
            self._noted[token_id] = now
        # A disk that is full, or somebody who writes for long, must keep nobody from reading.
        with contextlib.suppress(Unavailable), self.database.write() as connection:
            connection.execute(update(token).where(token.c.id == token_id).values(last_used_at=now))
