"""Members of a subscription, a team or a workspace."""

from __future__ import annotations

from typing import Any

from amlsdk.errors import NotFound
from amlsdk.operations.tenancy import CreateMember, DeleteMember, GetSubscription, ListMembers, UpdateMember
from amlsdk.records.ids import is_id
from amlsdk.records.names import check_key
from amlsdk.records.pages import Page
from amlsdk.records.tenancy import ROLES, MemberRecord
from amlsdk.resources.arguments import one_of
from amlsdk.resources.client import Client
from amlsdk.resources.paging import all_items
from amlsdk.resources.resource import Collection, Resource

__all__ = ["Member", "MemberCollection"]


class Member(Resource[MemberRecord]):
    """That a user may do something in a subscription, a team or a workspace."""

    what = "member"

    @property
    def user(self) -> str:
        """Name of the user."""
        return self.record.user

    @property
    def role(self) -> str:
        """`reader`, `contributor` or `owner`."""
        return self.record.role

    @property
    def inherited_from(self) -> str | None:
        """Id of the team or subscription that the role comes from; None where it was given here."""
        return self.record.inherited_from

    def _read(self) -> MemberRecord:
        return MemberCollection(self._client, self.record.resource_id).get(self.user).record

    def update(self, *, role: str) -> Member:
        """Give another role.

        Raises:
            NotFound: They inherit their role, which is changed where it was given.
            Conflict: They are the last owner of the subscription.
        """
        one_of(role, ROLES, what="update(role=...)")
        request = UpdateMember(resource_id=self.record.resource_id, user_id=self.id, role=role)
        self._record = self._client.send(request)
        return self

    def delete(self) -> None:
        """Take the role away; what they made stays. An absent member is no error."""
        self._client.send(DeleteMember(resource_id=self.record.resource_id, user_id=self.id))


class MemberCollection(Collection[Member]):
    """The members of a subscription, a team or a workspace, with those who inherit a role from above.

    Args:
        client: The connection.
        resource_id: Of what they are members.
    """

    what = "member"

    def __init__(self, client: Client, resource_id: str) -> None:
        super().__init__(client)
        self._resource_id = resource_id
        self._subscription_id: str | None = None

    def create(self, user: str, *, role: str = "reader") -> Member:
        """Let a user in.

        Args:
            user: Their name, as they sign in. Somebody new has no token yet: make one for them, or let them sign in.
            role: `reader` (sees everything), `contributor` (also makes and changes), or `owner` (also decides who is
                a member).

        Raises:
            Conflict: They are a member with another role.
            Denied: The caller is no owner.
        """
        check_key(user, what="user")
        one_of(role, ROLES, what="create(role=...)")
        return self._make(self._client.send(CreateMember(resource_id=self._resource_id, user=user, role=role)))

    def get(self, user: str) -> Member:
        """Return the member of a user's name or id; the role given here before one that is inherited.

        Raises:
            NotFound: They are none.
        """
        return self._get(user)

    def list(self) -> list[Member]:
        """Return all members by name."""
        return list(self)

    def delete(self, user: str | Member) -> None:
        """Take a role away that was given here; an absent member is no error."""
        user_id = self._id_of(user)
        if user_id is not None:
            self._client.send(DeleteMember(resource_id=self._resource_id, user_id=user_id))

    def _get(self, key: str) -> Member:
        name = None if is_id(str(key)) else check_key(key, what="user")
        request = ListMembers(resource_id=self._resource_id, user=name)
        found = [item for item in all_items(self._client, request) if key in (item.user, item.user_id)]
        if not found:
            raise NotFound(f"{key!r} is no member here{self._hint()}")
        return self._make(next((item for item in found if item.inherited_from is None), found[0]))

    def _hint(self) -> str:
        known = [member.user for member in self]
        return f"; there are {', '.join(map(repr, dict.fromkeys(known)))}"

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        return self._client.send(ListMembers(resource_id=self._resource_id, user=name, after=after, limit=limit))

    def _read(self, identifier: str) -> MemberRecord:
        return self._get(identifier).record

    def _make(self, record: MemberRecord) -> Member:
        return Member(self._client, record)

    def _row(self, record: MemberRecord) -> dict[str, Any]:
        how, since = self.how(record), record.created_at.astimezone()
        return {"user": record.user, "role": record.role, "how": how, "since": since}

    def how(self, record: MemberRecord) -> str:
        """Return where a member's role comes from, in words; empty where it was given here."""
        if record.inherited_from is None:
            return ""
        if self._subscription_id is None:
            self._subscription_id = self._client.send(GetSubscription()).id
        above = "subscription" if record.inherited_from == self._subscription_id else "team"
        return f"inherited from the {above}"
