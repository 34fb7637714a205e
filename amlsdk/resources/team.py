"""The subscription of a service, its teams, and their workspaces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs

from amlsdk.errors import Conflict, NotFound
from amlsdk.operations.tenancy import (
    CreateTeam,
    CreateWorkspace,
    DeleteTeam,
    DeleteWorkspace,
    GetSubscription,
    GetTeam,
    ListTeams,
    ListWorkspaces,
    UpdateSubscription,
    UpdateTeam,
)
from amlsdk.records.ids import new_id
from amlsdk.records.names import check_name, check_text
from amlsdk.records.pages import Page
from amlsdk.records.tenancy import SubscriptionRecord, TeamRecord
from amlsdk.records.workspaces import WorkspaceRecord
from amlsdk.resources.arguments import check_items
from amlsdk.resources.client import Client
from amlsdk.resources.members import MemberCollection
from amlsdk.resources.paging import all_items
from amlsdk.resources.resource import Collection, Resource
from amlsdk.resources.tokens import TokenCollection

if TYPE_CHECKING:
    from amlsdk.resources.workspace import Workspace

__all__ = ["Subscription", "Team", "TeamCollection", "WorkspaceCollection"]


class Subscription(Resource[SubscriptionRecord]):
    """What a service keeps: teams, and through them everything else."""

    what = "subscription"

    @classmethod
    def of(cls, client: Client) -> Subscription:
        """Read the subscription of a connection."""
        return cls(client, client.send(GetSubscription()))

    def _read(self) -> SubscriptionRecord:
        return self._client.send(GetSubscription())

    @property
    def regions(self) -> tuple[str, ...]:
        """The labels that workspaces may carry; none where any may be used."""
        return self.record.regions

    @property
    def teams(self) -> TeamCollection:
        """The teams that the caller is a member of; for members of the subscription, all."""
        return TeamCollection(self._client)

    @property
    def workspaces(self) -> WorkspaceCollection:
        """The workspaces that the caller may read, of all teams."""
        return WorkspaceCollection(self._client, team=None)

    @property
    def members(self) -> MemberCollection:
        """Its members, who have their role in every team and workspace."""
        return MemberCollection(self._client, self.id)

    @property
    def tokens(self) -> TokenCollection:
        """Tokens that open all workspaces of their user."""
        return TokenCollection(self._client, workspace_id=None)

    def update(self, *, name: str | None = None, regions: Iterable[str] | None = None) -> Subscription:
        """Change name or regions; None leaves them.

        Raises:
            Conflict: A workspace has a region that would no longer be allowed.
            Denied: The caller is no owner of the subscription.
        """
        if name is not None:
            check_name(name, what="subscription")
        wanted = None if regions is None else tuple(check_items(regions, what="update(regions=...)", of="texts"))
        self._record = self._client.send(UpdateSubscription(name=name, regions=wanted))
        return self


class Team(Resource[TeamRecord]):
    """A team: people, and the workspaces they share."""

    what = "team"

    def _read(self) -> TeamRecord:
        return self._client.send(GetTeam(team_id=self.id))

    @property
    def resource_group(self) -> str:
        """A label of the owners', such as the resource group that pays."""
        return self.record.resource_group

    @property
    def description(self) -> str:
        """Free text."""
        return self.record.description

    @property
    def members(self) -> MemberCollection:
        """Its members, who have their role in each of its workspaces."""
        return MemberCollection(self._client, self.id)

    @property
    def workspaces(self) -> WorkspaceCollection:
        """Its workspaces."""
        return WorkspaceCollection(self._client, team=self)

    def update(self, *, resource_group: str | None = None, description: str | None = None) -> Team:
        """Change a team; None leaves a field as it is."""
        for value, field in ((resource_group, "resource_group"), (description, "description")):
            if value is not None:
                check_text(value, what=f"update({field}=...)")
        request = UpdateTeam(team_id=self.id, resource_group=resource_group, description=description)
        self._record = self._client.send(request)
        return self

    def delete(self) -> None:
        """Delete the team.

        Raises:
            Conflict: It has workspaces; the message names them.
        """
        self._client.send(DeleteTeam(team_id=self.id))


class TeamCollection(Collection[Team]):
    """The teams of a subscription that the caller is a member of."""

    what = "team"

    def create(self, name: str, *, resource_group: str = "", description: str = "") -> Team:
        """Create a team, owned by the caller.

        Raises:
            Conflict: A team has this name.
            Denied: The caller is no owner of the subscription.
        """
        check_name(name, what="team")
        check_text(resource_group, what="create(resource_group=...)")
        check_text(description, what="create(description=...)")
        request = CreateTeam(id=new_id(), name=name, resource_group=resource_group, description=description)
        return self._make(self._client.send(request))

    def get(self, key: str) -> Team:
        """Return the team of a name or id.

        Raises:
            NotFound: There is none that the caller is a member of.
        """
        return self._get(key)

    def get_or_create(self, name: str, *, resource_group: str = "", description: str = "") -> Team:
        """Return the team of this name, created where it is missing."""
        try:
            return self._get(name)
        except NotFound:
            pass
        try:
            return self.create(name, resource_group=resource_group, description=description)
        except Conflict:  # somebody else was quicker
            return self._get(name)

    def list(self) -> list[Team]:
        """Return all of them by name."""
        return list(self)

    def delete(self, team: str | Team) -> None:
        """Delete a team that has no workspaces; an absent one is no error."""
        team_id = self._id_of(team)
        if team_id is not None:
            self._client.send(DeleteTeam(team_id=team_id))

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        return self._client.send(ListTeams(name=name, after=after, limit=limit))

    def _read(self, identifier: str) -> TeamRecord:
        return self._client.send(GetTeam(team_id=identifier))

    def _make(self, record: TeamRecord) -> Team:
        return Team(self._client, record)

    def _row(self, record: TeamRecord) -> dict[str, Any]:
        return {
            "name": record.name,
            "resource group": record.resource_group,
            "created": record.created_at.astimezone(),
        }


class WorkspaceCollection(Collection["Workspace"]):
    """The workspaces of a team, or all that the caller may read; each has a connection of its own.

    Args:
        client: The connection.
        team: Whose they are; None for those of all teams.
    """

    what = "workspace"

    def __init__(self, client: Client, *, team: Team | None) -> None:
        super().__init__(client)
        self._team = team

    def create(self, name: str, *, region: str = "", description: str = "", team: Team | None = None) -> Workspace:
        """Create a workspace, owned by the caller.

        Args:
            name: Unique in the subscription.
            region: One of the subscription's, where it has some.
            description: Free text.
            team: Whose it is; by default the team of this collection.

        Raises:
            Conflict: A workspace has this name.
            InvalidArgument: The region is not allowed, or no team was named.
            Denied: The caller is only a reader of the team.
        """
        check_name(name, what="workspace")
        check_text(region, what="create(region=...)")
        check_text(description, what="create(description=...)")
        owner = self._team or team or self._default_team()
        request = CreateWorkspace(id=new_id(), team_id=owner.id, name=name, region=region, description=description)
        return self._make(self._client.send(request))

    def get(self, key: str) -> Workspace:
        """Return the workspace of a name or id, connected.

        Raises:
            NotFound: There is none that the caller is a member of.
        """
        return self._get(key)

    def list(self) -> list[Workspace]:
        """Return all of them by name."""
        return list(self)

    def delete(self, workspace: str | Workspace) -> None:
        """Delete a workspace with all its files; an absent one is no error.

        Raises:
            Conflict: It has projects, models, manifests or deployments.
        """
        workspace_id = self._id_of(workspace)
        if workspace_id is not None:
            self._client.send(DeleteWorkspace(workspace_id=workspace_id))

    def _default_team(self) -> Team:
        return TeamCollection(self._client).get("default")

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        team_id = None if self._team is None else self._team.id
        return self._client.send(ListWorkspaces(team_id=team_id, name=name, after=after, limit=limit))

    def _read(self, identifier: str) -> WorkspaceRecord:
        records = all_items(self._client, ListWorkspaces(team_id=None if self._team is None else self._team.id))
        for record in records:
            if record.id == identifier:
                return record
        raise NotFound(f"there is no workspace {identifier!r} here that you are a member of")

    def _make(self, record: WorkspaceRecord) -> Workspace:
        from amlsdk.resources.workspace import Workspace

        address = self._client.address
        service, _, _ = address.location.partition("/w/")
        location = f"{service}/w/{quote(record.name, safe='')}"
        return Workspace(Client(attrs.evolve(address, location=location), self._client.config), record)

    def _row(self, record: WorkspaceRecord) -> dict[str, Any]:
        return {
            "name": record.name,
            "region": record.region,
            "role": record.role,
            "created": record.created_at.astimezone(),
        }
