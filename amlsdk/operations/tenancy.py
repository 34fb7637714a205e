"""Operations on the subscription, its teams, their workspaces and members, and on tokens."""

from __future__ import annotations

import attrs

from amlsdk.operations._table import CALLER, SUBSCRIPTION, Request, Role, operation
from amlsdk.records.pages import Ack, Page
from amlsdk.records.tenancy import CallerRecord, MemberRecord, SubscriptionRecord, TeamRecord, TokenRecord
from amlsdk.records.workspaces import WorkspaceRecord

__all__ = [
    "CreateMember",
    "CreateTeam",
    "CreateToken",
    "CreateWorkspace",
    "DeleteMember",
    "DeleteTeam",
    "DeleteToken",
    "DeleteWorkspace",
    "GetCaller",
    "GetSubscription",
    "GetTeam",
    "ListMembers",
    "ListTeams",
    "ListTokens",
    "ListWorkspaces",
    "RenewToken",
    "UpdateMember",
    "UpdateSubscription",
    "UpdateTeam",
]


@operation("GET", "/v1/caller", role=Role.READER, on=CALLER)
@attrs.frozen(kw_only=True)
class GetCaller(Request[CallerRecord]):
    """Say who asks, as the service knows them."""


@operation("GET", "/v1/subscription", role=Role.READER, on=CALLER)
@attrs.frozen(kw_only=True)
class GetSubscription(Request[SubscriptionRecord]):
    """Read the subscription."""


@operation("PATCH", "/v1/subscription", role=Role.OWNER, on=SUBSCRIPTION)
@attrs.frozen(kw_only=True)
class UpdateSubscription(Request[SubscriptionRecord]):
    """Change the subscription; None leaves a field as it is. A Conflict where a workspace has a region left out."""

    name: str | None = None
    regions: tuple[str, ...] | None = None


@operation("POST", "/v1/teams", role=Role.OWNER, on=SUBSCRIPTION)
@attrs.frozen(kw_only=True)
class CreateTeam(Request[TeamRecord]):
    """Create a team, owned by the caller; the same request again answers the same, a taken name is a Conflict."""

    id: str
    name: str
    resource_group: str = ""
    description: str = ""


@operation("GET", "/v1/teams/{team_id}", role=Role.READER, on="team_id")
@attrs.frozen(kw_only=True)
class GetTeam(Request[TeamRecord]):
    """Read a team."""

    team_id: str


@operation("GET", "/v1/teams", role=Role.READER, on=CALLER)
@attrs.frozen(kw_only=True)
class ListTeams(Request[Page[TeamRecord]]):
    """List the teams that the caller is a member of, by name, or find the one of a name."""

    name: str | None = None
    limit: int = 100
    after: str | None = None


@operation("PATCH", "/v1/teams/{team_id}", role=Role.OWNER, on="team_id")
@attrs.frozen(kw_only=True)
class UpdateTeam(Request[TeamRecord]):
    """Change a team; None leaves a field as it is."""

    team_id: str
    resource_group: str | None = None
    description: str | None = None


@operation("DELETE", "/v1/teams/{team_id}", role=Role.OWNER, on="team_id")
@attrs.frozen(kw_only=True)
class DeleteTeam(Request[Ack]):
    """Delete a team; a Conflict while it has workspaces."""

    team_id: str


@operation("POST", "/v1/workspaces", role=Role.CONTRIBUTOR, on="team_id")
@attrs.frozen(kw_only=True)
class CreateWorkspace(Request[WorkspaceRecord]):
    """Create a workspace of a team, owned by the caller; the same request again answers the same."""

    id: str
    team_id: str
    name: str
    region: str = ""
    description: str = ""


@operation("GET", "/v1/workspaces", role=Role.READER, on=CALLER)
@attrs.frozen(kw_only=True)
class ListWorkspaces(Request[Page[WorkspaceRecord]]):
    """List the workspaces that the caller may read, by name; each given field narrows the list."""

    team_id: str | None = None
    name: str | None = None
    limit: int = 100
    after: str | None = None


@operation("DELETE", "/v1/workspaces/{workspace_id}", role=Role.OWNER, on="workspace_id")
@attrs.frozen(kw_only=True)
class DeleteWorkspace(Request[Ack]):
    """Delete a workspace and all its blobs; a Conflict while it has projects, models, manifests or deployments."""

    workspace_id: str


@operation("POST", "/v1/members/{resource_id}", role=Role.OWNER, on="resource_id")
@attrs.frozen(kw_only=True)
class CreateMember(Request[MemberRecord]):
    """Let a user into a subscription, a team or a workspace; a Conflict where they are a member with another role."""

    resource_id: str
    user: str
    role: str = "reader"


@operation("GET", "/v1/members/{resource_id}", role=Role.READER, on="resource_id")
@attrs.frozen(kw_only=True)
class ListMembers(Request[Page[MemberRecord]]):
    """List the members of a subscription, a team or a workspace, by name, with those who inherit a role from above."""

    resource_id: str
    user: str | None = None
    limit: int = 100
    after: str | None = None


@operation("PATCH", "/v1/members/{resource_id}/{user_id}", role=Role.OWNER, on="resource_id")
@attrs.frozen(kw_only=True)
class UpdateMember(Request[MemberRecord]):
    """Change a member's role; a Conflict where the last owner of a subscription would no longer be one."""

    resource_id: str
    user_id: str
    role: str


@operation("DELETE", "/v1/members/{resource_id}/{user_id}", role=Role.OWNER, on="resource_id")
@attrs.frozen(kw_only=True)
class DeleteMember(Request[Ack]):
    """Remove a member; a Conflict for the last owner of a subscription."""

    resource_id: str
    user_id: str


@operation("POST", "/v1/tokens", role=Role.READER, on=CALLER)
@attrs.frozen(kw_only=True)
class CreateToken(Request[TokenRecord]):
    """Make a token known: its maker keeps the secret and sends only its digest.

    A token is `aml_` with its id, `_`, and at least 32 random bytes in base64url; its digest is SHA-256 of all that.
    For another user it is made by an owner of the workspace it is scoped to, or of the subscription. It never opens
    more than the token it was made with.
    """

    id: str
    name: str
    digest: str
    user: str | None = None
    kind: str = "user"
    role: str | None = None
    workspace_id: str | None = None
    expires_in_s: float | None = None


@operation("GET", "/v1/tokens", role=Role.READER, on=CALLER)
@attrs.frozen(kw_only=True)
class ListTokens(Request[Page[TokenRecord]]):
    """List tokens by age: the caller's, or all of a workspace or the subscription for its owners."""

    workspace_id: str | None = None
    everybody: bool = False
    kind: str | None = None
    limit: int = 100
    after: str | None = None


@operation("POST", "/v1/tokens/{token_id}/renew", role=Role.READER, on=CALLER)
@attrs.frozen(kw_only=True)
class RenewToken(Request[TokenRecord]):
    """Let a token live longer, as who shows it or as who made it; one that has expired stays so."""

    token_id: str
    expires_in_s: float


@operation("DELETE", "/v1/tokens/{token_id}", role=Role.READER, on=CALLER)
@attrs.frozen(kw_only=True)
class DeleteToken(Request[Ack]):
    """Revoke a token at once, as its user, its maker, or an owner of what it opens."""

    token_id: str
