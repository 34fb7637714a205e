"""The deployments of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amlsdk.operations.deployments import GetDeployment, ListDeployments
from amlsdk.records.deployments import DeploymentRecord
from amlsdk.records.pages import Page
from amlsdk.resources.deploying import delete
from amlsdk.resources.deployment import Deployment
from amlsdk.resources.resource import Collection

if TYPE_CHECKING:
    from amlsdk.resources.image import Image

__all__ = ["DeploymentCollection"]


class DeploymentCollection(Collection[Deployment]):
    """The deployments of a workspace."""

    what = "deployment"

    def get(self, key: str) -> Deployment:
        """Return the deployment of a name or id.

        Raises:
            NotFound: There is none; the message names those there are.
        """
        return self._get(key)

    def list(self, *, image: Image | None = None) -> list[Deployment]:
        """Return all deployments by name, or those that need an image."""
        if image is None:
            return list(self)
        records = self._client.send(ListDeployments(image_id=image.id, limit=1000)).items
        return [self._make(record) for record in records]

    def delete(self, deployment: str | Deployment, *, timeout_s: float | None = None) -> None:
        """Stop a deployment and delete it; an absent one is no error."""
        deployment_id = self._id_of(deployment)
        if deployment_id is not None:
            delete(self._client, deployment_id, timeout_s)

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        return self._client.send(ListDeployments(name=name, after=after, limit=limit))

    def _read(self, identifier: str) -> DeploymentRecord:
        return self._client.send(GetDeployment(deployment_id=identifier))

    def _make(self, record: DeploymentRecord) -> Deployment:
        return Deployment(self._client, record)

    def _row(self, record: DeploymentRecord) -> dict[str, Any]:
        row = {"name": record.name, "status": record.status, "replicas": record.replicas, "uri": record.scoring_uri}
        return {**row, "created": record.created_at.astimezone()}
