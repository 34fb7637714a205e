"""Operations on deployments, and those of who supervises them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.deployments import DeploymentKeys, DeploymentOrders, DeploymentRecord, TrafficRecord
from amlsdk.records.jobs import OutputPosition, ProcessIdentity
from amlsdk.records.pages import Ack, Page
from amlsdk.records.serving import ScoringSettings
from amlsdk.records.streams import ByteStream

__all__ = [
    "AppendDeploymentLog",
    "ClaimDeployment",
    "CreateDeployment",
    "DeleteDeployment",
    "GetDeployment",
    "GetDeploymentKeys",
    "ListDeployments",
    "ListTraffic",
    "ReadDeploymentLog",
    "ReportDeployment",
    "RollBackDeployment",
    "RotateDeploymentKey",
    "StopDeployment",
    "UpdateDeployment",
]


@operation("POST", "/v1/deployments", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class CreateDeployment(Request[DeploymentRecord]):
    """Record a deployment, which somebody then claims; a Conflict where the name is taken."""

    id: str
    name: str
    image_id: str
    target: str = "process"
    replicas: int = 1
    settings: ScoringSettings = attrs.field(factory=ScoringSettings)
    environment_variables: Mapping[str, str] = attrs.field(factory=dict)
    agent: str | None = None
    secrets: Mapping[str, str] = attrs.field(factory=dict)


@operation("GET", "/v1/deployments/{deployment_id}", role=Role.READER)
@attrs.frozen(kw_only=True)
class GetDeployment(Request[DeploymentRecord]):
    """Read a deployment; held back up to `wait_s` until all that was asked for was carried out, or could not be."""

    deployment_id: str
    wait_s: float = 0.0


@operation("GET", "/v1/deployments", role=Role.READER)
@attrs.frozen(kw_only=True)
class ListDeployments(Request[Page[DeploymentRecord]]):
    """List deployments by name; each given field narrows the list."""

    name: str | None = None
    image_id: str | None = None
    limit: int = 100
    after: str | None = None


@operation("PATCH", "/v1/deployments/{deployment_id}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class UpdateDeployment(Request[DeploymentRecord]):
    """Ask for another image or number of replicas; None leaves it."""

    deployment_id: str
    image_id: str | None = None
    replicas: int | None = None


@operation("POST", "/v1/deployments/{deployment_id}/rollback", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class RollBackDeployment(Request[DeploymentRecord]):
    """Ask for the image that served before the present one; a Conflict where there was none."""

    deployment_id: str


@operation("POST", "/v1/deployments/{deployment_id}/stop", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class StopDeployment(Request[DeploymentRecord]):
    """Ask that it cease to serve; it can be claimed, and so begun, again."""

    deployment_id: str


@operation("DELETE", "/v1/deployments/{deployment_id}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class DeleteDeployment(Request[Ack]):
    """Delete a deployment that is Stopped or has no supervisor; else a Conflict. An absent one is no error."""

    deployment_id: str


@operation("POST", "/v1/deployments/{deployment_id}/claim", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class ClaimDeployment(Request[DeploymentOrders]):
    """Become its supervisor; a Conflict while another one is alive."""

    deployment_id: str
    supervisor: ProcessIdentity


@operation("POST", "/v1/deployments/{deployment_id}/report", role=Role.CONTRIBUTOR, sign_of_life=True)
@attrs.frozen(kw_only=True)
class ReportDeployment(Request[DeploymentOrders]):
    """Say as its supervisor how it is, and hear what is wanted; a Conflict where another one has claimed it.

    `serving_id` is entered into the history where it changes. The answer is held back up to `wait_s` while nothing
    is wanted beyond `observed` and the keys are those of `keys_seen`, the SHA-256 of
    primary, line feed and secondary in hexadecimal digits.
    """

    deployment_id: str
    supervisor: ProcessIdentity
    status: str
    reason: str = ""
    observed: int = 0
    problem: str | None = None
    serving_id: str | None = None
    scoring_uri: str | None = None
    restarts: int = 0
    traffic: TrafficRecord | None = None
    keys_seen: str = ""
    wait_s: float = 0.0


@operation("GET", "/v1/deployments/{deployment_id}/keys", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class GetDeploymentKeys(Request[DeploymentKeys]):
    """Read the keys."""

    deployment_id: str


@operation("POST", "/v1/deployments/{deployment_id}/keys", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class RotateDeploymentKey(Request[DeploymentKeys]):
    """Replace a key, `primary` or `secondary`, by a new one."""

    deployment_id: str
    key: str


@operation("GET", "/v1/deployments/{deployment_id}/traffic", role=Role.READER)
@attrs.frozen(kw_only=True)
class ListTraffic(Request[Page[TrafficRecord]]):
    """List what was counted, newest first; with `before`, only what was counted until then."""

    deployment_id: str
    before: dt.datetime | None = None
    limit: int = 100
    after: str | None = None


@operation("POST", "/v1/deployments/{deployment_id}/log", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class AppendDeploymentLog(Request[OutputPosition]):
    """Append bytes to its log; bytes before the present end are skipped, a gap is answered with the end."""

    deployment_id: str
    offset: int
    content: ByteStream


@operation("GET", "/v1/deployments/{deployment_id}/log", role=Role.READER)
@attrs.frozen(kw_only=True)
class ReadDeploymentLog(Request[ByteStream]):
    """Read its log from byte `after` on, at most `limit_bytes`; held back up to `wait_s` while there is none."""

    deployment_id: str
    after: int = 0
    limit_bytes: int = 4_194_304
    wait_s: float = 0.0
