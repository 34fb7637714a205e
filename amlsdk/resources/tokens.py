"""Tokens: what opens a service."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from amlsdk.errors import Conflict, Denied, InvalidArgument, NotFound
from amlsdk.operations.tenancy import CreateToken, DeleteToken, ListTokens
from amlsdk.records.ids import is_id
from amlsdk.records.names import check_key
from amlsdk.records.pages import Page
from amlsdk.records.tenancy import ROLES, TokenRecord
from amlsdk.records.tokens import digest_of_token, id_of_token, new_token
from amlsdk.resources.arguments import one_of, shown
from amlsdk.resources.client import Client
from amlsdk.resources.paging import all_items
from amlsdk.resources.resource import Collection, Resource

__all__ = ["Token", "TokenCollection"]


class Token(Resource[TokenRecord]):
    """A token. Its `secret` is known only to whoever made it, and only by the object that `create` returned."""

    what = "token"

    def __init__(self, client: Client, record: TokenRecord, *, secret: str | None = None) -> None:
        super().__init__(client, record)
        self._secret = secret

    @property
    def secret(self) -> str:
        """The text that opens the service: for `connect(token=...)`, AMLSDK_TOKEN or `aml login`. Keep it.

        Raises:
            NotFound: It was made earlier or elsewhere; no service keeps it.
        """
        if self._secret is None:
            raise NotFound(f"the secret of token {self.name!r} was known only when it was made; make another token")
        return self._secret

    @property
    def user(self) -> str:
        """Name of who is signed in by it."""
        return self.record.user

    @property
    def role(self) -> str | None:
        """The most that may be done with it; None where that is whatever its user may."""
        return self.record.role

    @property
    def expires_at(self) -> dt.datetime | None:
        """From when on it opens nothing (UTC); None means never."""
        return self.record.expires_at

    def _read(self) -> TokenRecord:
        return TokenCollection(self._client, workspace_id=self.record.workspace_id).get(self.id).record

    def delete(self) -> None:
        """Revoke it at once; an absent one is no error."""
        self._client.send(DeleteToken(token_id=self.id))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Token, (self._client, self._record))


class TokenCollection(Collection[Token]):
    """Tokens: the caller's own, and for owners those of others.

    Args:
        client: The connection.
        workspace_id: The workspace that they are scoped to; None for those that open all of their user's.
    """

    what = "token"

    def __init__(self, client: Client, *, workspace_id: str | None) -> None:
        super().__init__(client)
        self._workspace_id = workspace_id

    def create(
        self,
        name: str,
        *,
        user: str | None = None,
        role: str | None = None,
        expires_in_s: float | None = None,
    ) -> Token:
        """Make a token; its `secret` is to be kept by whoever asked, as the service keeps only its digest.

        Args:
            name: To know it by.
            user: Whom it signs in; by default the caller. For somebody else, the caller has to be an owner.
            role: The most that may be done with it; by default whatever its user may.
            expires_in_s: It opens nothing after so many seconds; by default it does not expire.

        Raises:
            NotFound: There is no such user: make them a member first.
            Denied: It is for somebody else, and the caller is no owner.
        """
        check_key(name, what="token")
        if role is not None:
            one_of(role, ROLES, what="create(role=...)")
        secret = new_token()
        request = CreateToken(
            id=id_of_token(secret) or "",
            name=name,
            digest=digest_of_token(secret),
            user=user,
            role=role,
            workspace_id=self._workspace_id,
            expires_in_s=_seconds(expires_in_s),
        )
        return Token(self._client, self._client.send(request), secret=secret)

    def get(self, key: str) -> Token:
        """Return the newest token of a name, or that of an id: one of the caller's, else, for owners, of another user.

        Raises:
            NotFound: There is none.
        """
        return self._get(key)

    def list(self, *, everybody: bool = False) -> list[Token]:
        """Return the caller's tokens by age; with `everybody=True` those of all users, for owners."""
        records = all_items(self._client, self._request(everybody=True)) if everybody else self._mine()
        return [self._make(record) for record in records]

    def delete(self, token: str | Token) -> None:
        """Revoke a token at once, by its object, name or id; an absent one is no error.

        By name it is one of the caller's, else, for owners, one of another user.

        Raises:
            Conflict: Several have this name; the message has their ids.
        """
        named = self._named(token) if isinstance(token, str) else ()
        if len(named) > 1:
            ids = ", ".join(record.id for record in named)
            raise Conflict(f"more than one token is named {token!r}; revoke it by its id: {ids}")
        token_id = self._id_of(token)
        if token_id is not None:
            self._client.send(DeleteToken(token_id=token_id))

    def _request(self, *, everybody: bool = False) -> ListTokens:
        if everybody and self._workspace_id is not None:
            return ListTokens(workspace_id=self._workspace_id)
        return ListTokens(everybody=everybody)

    def _mine(self) -> tuple[TokenRecord, ...]:
        records = all_items(self._client, self._request())
        return tuple(record for record in records if self._workspace_id in (None, record.workspace_id))

    def _get(self, key: str) -> Token:
        found = self._named(key)
        if not found:
            raise NotFound(f"you have no token {key!r}{self._hint()}")
        return self._make(found[-1])

    def _named(self, key: str) -> tuple[TokenRecord, ...]:
        field = "id" if is_id(str(key)) else "name"
        mine = tuple(record for record in self._mine() if key == getattr(record, field))
        return mine or tuple(record for record in self._everybodys() if key == getattr(record, field))

    def _everybodys(self) -> tuple[TokenRecord, ...]:
        try:
            return tuple(all_items(self._client, self._request(everybody=True)))
        except Denied:  # the caller is no owner
            return ()

    def _hint(self) -> str:
        known = [record.name for record in self._mine()][-5:]
        return f"; there are {', '.join(map(repr, known))}" if known else ""

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        del name
        page = self._client.send(ListTokens(after=after, limit=limit))
        mine = tuple(item for item in page.items if self._workspace_id in (None, item.workspace_id))
        return Page(items=mine, next_token=page.next_token)

    def _read(self, identifier: str) -> TokenRecord:
        return self._get(identifier).record

    def _make(self, record: TokenRecord) -> Token:
        return Token(self._client, record)

    def _row(self, record: TokenRecord) -> dict[str, Any]:
        expires = "never" if record.expires_at is None else record.expires_at.astimezone()
        return {"name": record.name, "user": record.user, "role": record.role or "", "expires": expires}


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise InvalidArgument(f"create(expires_in_s=...) is a number of seconds above 0, not {shown(value)}")
    return float(value)
