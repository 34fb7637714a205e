"""Who shares what: the subscription, its teams, their members, and the tokens that these show."""

from __future__ import annotations

import datetime as dt

import attrs

__all__ = [
    "ROLES",
    "CallerRecord",
    "MemberRecord",
    "SubscriptionRecord",
    "TeamRecord",
    "TokenKind",
    "TokenRecord",
]

# From the least to the most; each may do what those before it may.
ROLES = ("reader", "contributor", "owner")


class TokenKind:
    """What a token was made for."""

    USER = "user"
    RUN = "run"
    DEPLOYMENT = "deployment"
    AGENT = "agent"


@attrs.frozen(kw_only=True)
class SubscriptionRecord:
    """What a service keeps: teams, and through them everything else.

    Args:
        id: Its id.
        name: Its name.
        created_at: When the service was begun (UTC).
        regions: The labels that its workspaces may carry; none where any may be used.
        version: The version of amlsdk that answers.
        sign_in: How people sign in besides tokens: `openid`, or empty.
    """

    id: str
    name: str
    created_at: dt.datetime
    regions: tuple[str, ...] = ()
    version: str = ""
    sign_in: str = ""


@attrs.frozen(kw_only=True)
class TeamRecord:
    """A team: people, and the workspaces they share.

    Args:
        id: Its id.
        name: Unique in the subscription.
        created_at: When it was made (UTC).
        resource_group: A label of the owners', such as the resource group that pays.
        description: Free text.
    """

    id: str
    name: str
    created_at: dt.datetime
    resource_group: str = ""
    description: str = ""


@attrs.frozen(kw_only=True)
class MemberRecord:
    """That a user may do something in a subscription, a team or a workspace.

    Args:
        resource_id: Of what they are a member.
        user_id: Of the user.
        user: Name of the user.
        role: `reader`, `contributor` or `owner`.
        created_at: When they became one (UTC).
        invited_by: Name of who made them one; empty for the first owner.
        inherited_from: Id of the team or subscription that they are a member of, where the role comes from there.
    """

    resource_id: str
    user_id: str
    user: str
    role: str
    created_at: dt.datetime
    invited_by: str = ""
    inherited_from: str | None = None

    @property
    def id(self) -> str:
        """Id of the user: what tells the members of one resource apart."""
        return self.user_id

    @property
    def name(self) -> str:
        """Name of the user."""
        return self.user


@attrs.frozen(kw_only=True)
class TokenRecord:
    """A token, without its secret, which no service keeps.

    Args:
        id: Its id.
        name: What its owner calls it.
        user: Name of who is signed in by it.
        kind: One of `TokenKind`.
        role: The most that may be done with it, where its user may do more; None where that is no less.
        workspace_id: The only workspace it opens; None where it opens all of its user's.
        created_at: When it was made (UTC).
        created_by: Name of who made it.
        expires_at: From when on it opens nothing (UTC); None means never.
        last_used_at: When it was last shown, to the minute; None means never.
    """

    id: str
    name: str
    user: str
    created_at: dt.datetime
    kind: str = TokenKind.USER
    role: str | None = None
    workspace_id: str | None = None
    created_by: str = ""
    expires_at: dt.datetime | None = None
    last_used_at: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class CallerRecord:
    """Whoever asks, as the service knows them.

    Args:
        user: Their name.
        user_id: Their id.
        role: Their role in the subscription; None where they are a member only of teams or workspaces.
        token: That they showed.
    """

    user: str
    user_id: str
    role: str | None = None
    token: TokenRecord | None = None
