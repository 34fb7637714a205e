"""The workspace: the way in to everything else."""

from __future__ import annotations

import math
from types import TracebackType
from typing import TYPE_CHECKING, Any

from amlsdk.errors import InvalidArgument
from amlsdk.operations.workspaces import CollectGarbage, GetWorkspace, UpdateWorkspace
from amlsdk.records.workspaces import GarbageRecord, WorkspaceRecord
from amlsdk.resources.arguments import check_flag, check_whole, shown
from amlsdk.resources.client import Client
from amlsdk.resources.current import active_runs
from amlsdk.resources.experiment import ExperimentCollection
from amlsdk.resources.models import ModelCollection
from amlsdk.resources.project import ProjectCollection
from amlsdk.resources.resource import Resource
from amlsdk.resources.runs import RunCollection, Scope

if TYPE_CHECKING:
    from amlsdk.resources.agents import AgentCollection
    from amlsdk.resources.deployments import DeploymentCollection
    from amlsdk.resources.image import ImageCollection
    from amlsdk.resources.manifest import ManifestCollection
    from amlsdk.resources.members import MemberCollection
    from amlsdk.resources.secrets import SecretCollection
    from amlsdk.resources.team import Subscription
    from amlsdk.resources.tokens import TokenCollection

__all__ = ["Workspace"]


class Workspace(Resource[WorkspaceRecord]):
    """A workspace: the unit of sharing, in a folder or behind a URL. Use it as a context manager, or `close()` it."""

    what = "workspace"

    @classmethod
    def of(cls, client: Client) -> Workspace:
        """Open the workspace of a connection."""
        return cls(client, client.send(GetWorkspace()))

    def _read(self) -> WorkspaceRecord:
        return self._client.send(GetWorkspace())

    @property
    def location(self) -> str:
        """The folder's absolute path, or the URL."""
        return self._client.location

    @property
    def projects(self) -> ProjectCollection:
        """All projects."""
        return ProjectCollection(self._client)

    @property
    def experiments(self) -> ExperimentCollection:
        """The experiments of all projects."""
        return ExperimentCollection(self._client, project_id=None)

    @property
    def runs(self) -> RunCollection:
        """The runs of all experiments."""
        return RunCollection(self._client, Scope())

    @property
    def models(self) -> ModelCollection:
        """All registered models."""
        return ModelCollection(self._client)

    @property
    def manifests(self) -> ManifestCollection:
        """All manifests."""
        from amlsdk.resources.manifest import ManifestCollection

        return ManifestCollection(self._client)

    @property
    def images(self) -> ImageCollection:
        """All images."""
        from amlsdk.resources.image import ImageCollection

        return ImageCollection(self._client)

    @property
    def deployments(self) -> DeploymentCollection:
        """All deployments."""
        from amlsdk.resources.deployments import DeploymentCollection

        return DeploymentCollection(self._client)

    @property
    def agents(self) -> AgentCollection:
        """Machines that execute what others submit."""
        from amlsdk.resources.agents import AgentCollection

        return AgentCollection(self._client)

    @property
    def secrets(self) -> SecretCollection:
        """Named texts that runs and deployments are given."""
        from amlsdk.resources.secrets import SecretCollection

        return SecretCollection(self._client)

    @property
    def subscription(self) -> Subscription:
        """What the service keeps that this workspace is in: teams and their workspaces."""
        from amlsdk.resources.team import Subscription

        return Subscription.of(self._client)

    @property
    def members(self) -> MemberCollection:
        """Who may do what in this workspace."""
        from amlsdk.resources.members import MemberCollection

        return MemberCollection(self._client, self.id)

    @property
    def tokens(self) -> TokenCollection:
        """Tokens that open this workspace only."""
        from amlsdk.resources.tokens import TokenCollection

        return TokenCollection(self._client, workspace_id=self.id)

    @property
    def role(self) -> str:
        """What the caller may do in it: `reader`, `contributor` or `owner`."""
        return self.record.role

    def delete(self) -> None:
        """Delete this workspace of a service, with all its files; a folder is deleted as folders are.

        Raises:
            Conflict: It has projects, models, manifests or deployments.
        """
        from amlsdk.operations.tenancy import DeleteWorkspace

        self._client.send(DeleteWorkspace(workspace_id=self.id))

    def info(self) -> dict[str, Any]:
        """Return what this workspace is: location, name, id, version, slots, and the caller's role.

        Of a service, also team and region.
        """
        record = self.refresh().record
        shared = {} if record.team_id is None else {"team_id": record.team_id, "region": record.region}
        return {
            "location": self.location,
            "name": record.name,
            "id": record.id,
            "created_at": record.created_at,
            "slots": record.slots,
            "version": record.version,
            "role": record.role,
            **shared,
        }

    def update(self, *, slots: int | None = None) -> Workspace:
        """Change settings.

        Args:
            slots: How many submitted runs of the target `local` execute at once on a machine.

        Raises:
            InvalidArgument: Not a number from 1 on.
        """
        check_whole(slots, what="update(slots=...)")
        self._record = self._client.send(UpdateWorkspace(slots=slots))
        return self

    def collect_garbage(self, *, grace_s: float = 7200.0, dry_run: bool = False) -> GarbageRecord:
        """Remove blobs that nothing refers to and that are older than `grace_s` seconds.

        Args:
            grace_s: Younger blobs may be on their way into a run or a model, and stay.
            dry_run: Only count them.

        Raises:
            InvalidArgument: Not a number of seconds.
        """
        if isinstance(grace_s, bool) or not isinstance(grace_s, (int, float)) or not 0 <= grace_s < math.inf:
            raise InvalidArgument(f"collect_garbage(grace_s=...) is 0 or more seconds, not {shown(grace_s)}")
        check_flag(dry_run, what="collect_garbage(dry_run=...)")
        return self._client.send(CollectGarbage(grace_s=grace_s, dry_run=dry_run))

    def close(self) -> None:
        """End this connection's threads, files and sockets.

        Runs that this process began through it and has not ended are completed; submitted ones go on.
        """
        self._end_runs(None)
        self._client.close()

    def _end_runs(self, error: BaseException | None) -> None:
        for run in active_runs(self._client):
            run._at_exit(error)  # noqa: SLF001

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_runs(error)
        self.close()

    def __repr__(self) -> str:
        return f"<Workspace {self.name!r} at {self._client.address.location}>"
