"""From an image to a deployment: checked, recorded, supervised."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from amlsdk import plugins
from amlsdk.deployers.handing_over import SUPERVISOR, hand_over
from amlsdk.errors import AmlError, Conflict, InvalidArgument, NotFound, OperationFailed
from amlsdk.operations.deployments import (
    CreateDeployment,
    DeleteDeployment,
    GetDeployment,
    ListDeployments,
    StopDeployment,
)
from amlsdk.operations.images import GetImage
from amlsdk.operations.manifests import GetManifest
from amlsdk.processes.launching import Detached
from amlsdk.records.deployments import OVER, DeploymentRecord
from amlsdk.records.ids import new_id
from amlsdk.records.images import ImageRecord
from amlsdk.records.names import check_text
from amlsdk.records.serving import ScoringSettings
from amlsdk.resources.agents import attached_agent
from amlsdk.resources.arguments import check_flag, check_texts, check_timeout, check_whole, shown
from amlsdk.resources.passing import PassingLine
from amlsdk.resources.secrets import given_secrets

if TYPE_CHECKING:
    from amlsdk.resources.client import Client
    from amlsdk.resources.deployment import Deployment

__all__ = ["check_image", "delete", "deploy", "follow", "raise_if_bad", "refuse_taken", "supervise"]

_LOOK_S = 0.5


def deploy(  # noqa: PLR0913  # what a deployment may be given
    client: Client,
    image: ImageRecord,
    *,
    name: str,
    target: str,
    replicas: int,
    settings: ScoringSettings | None,
    environment_variables: Mapping[str, str] | None,
    secrets: Mapping[str, str] | Sequence[str] | None,
    agent: str | None,
    wait: bool,
    timeout_s: float | None,
) -> Deployment:
    """Record a deployment, begin its supervisor or let an agent do that, and wait until it answers."""
    from amlsdk.resources.deployment import Deployment

    check_text(name, what="name")
    check_flag(wait, what="wait")
    check_timeout(timeout_s)
    limits = ScoringSettings() if settings is None else settings
    if not isinstance(limits, ScoringSettings):
        raise InvalidArgument(f"settings are an amlsdk.ScoringSettings, not {shown(settings)}")
    check_whole(replicas, what="replicas")
    variables = check_texts(environment_variables, what="environment_variables", kind="environment variable")
    given = given_secrets(client, secrets, what="secrets", variables=variables)
    wanted = CreateDeployment(
        id=new_id(),
        name=name,
        image_id=image.id,
        target=target,
        replicas=replicas,
        settings=limits,
        environment_variables=variables,
        secrets=given,
        agent=None if agent is None else attached_agent(client, agent, what="agent"),
    )
    record = _begin_here(client, wanted, image) if agent is None else client.send(wanted)
    if wait:
        if agent is None:
            _prepare(client, image, target=target)
        record = follow(client, record, timeout_s)
        raise_if_bad(record)
    return Deployment(client, record)


def _begin_here(client: Client, wanted: CreateDeployment, image: ImageRecord) -> DeploymentRecord:
    # Begun first, so that its own start costs no time of the deployment's.
    with Detached(SUPERVISOR) as starting:
        check_image(image, target=wanted.target, settings=wanted.settings, replicas=wanted.replicas)
        record = client.send(wanted)
        hand_over(client.service, client.place, starting, deployment_id=record.id, image=image)
    return record


def _prepare(client: Client, image: ImageRecord, *, target: str) -> None:
    """Do what can be done while the supervisor starts; what fails here fails there as well, with the reason."""
    adapter: Any = plugins.load("amlsdk.deployers", target)
    with contextlib.suppress(AmlError):
        adapter().prepare(
            image,
            blobs=client.blobs,
            cache=client.spool.cache,
            find_manifest=lambda manifest_id: client.send(GetManifest(manifest_id=manifest_id)),
        )


def refuse_taken(client: Client, name: str) -> None:
    """See that a name is free, before much work is done for it.

    Raises:
        Conflict: A deployment has it.
    """
    if client.send(ListDeployments(name=check_text(name, what="deploy(name=...)"), limit=1)).items:
        raise Conflict(f"a deployment named {name!r} exists already: update it, or delete it first")


def check_image(image: ImageRecord, *, target: str, settings: ScoringSettings, replicas: int) -> None:
    """See that a deployer can serve an image.

    Raises:
        InvalidArgument: There is no such deployer, or it can't; the message says why.
    """
    check_text(target, what="target")
    try:
        adapter: Any = plugins.load("amlsdk.deployers", target)
    except InvalidArgument as error:
        known = ", ".join(plugins.names("amlsdk.deployers"))
        raise InvalidArgument(f"there is no target {target!r} for deployments; there are: {known}") from error
    adapter().check(image, settings, replicas)


def supervise(client: Client, record: DeploymentRecord) -> None:
    """Begin a supervisor for a deployment that has none, once its image was looked at again."""
    image = client.send(GetImage(image_id=record.image_id))
    check_image(image, target=record.target, settings=record.settings, replicas=record.replicas)
    with Detached(SUPERVISOR) as starting:
        hand_over(client.service, client.place, starting, deployment_id=record.id, image=image)


def follow(
    client: Client,
    record: DeploymentRecord,
    timeout_s: float | None,
    *,
    until: Callable[[DeploymentRecord], bool] = lambda record: record.is_settled,
) -> DeploymentRecord:
    """Wait until all that was asked of a deployment was carried out, or could not be.

    Raises:
        TimeoutError: It has not been, in time; it goes on.
    """
    begun = time.monotonic()
    with PassingLine(None, wanted=client.config.progress) as passing:
        while True:
            past = time.monotonic() - begun
            left = _LOOK_S if timeout_s is None else max(0.0, min(_LOOK_S, timeout_s - past))
            record = client.send(GetDeployment(deployment_id=record.id, wait_s=left))
            if until(record):
                return record
            if timeout_s is not None and past >= timeout_s:
                raise TimeoutError(f"deployment {record.name!r} is still {record.status} after {timeout_s:g} s")
            passing.show(f"[{record.name}] {record.status} {past:.1f} s")


def raise_if_bad(record: DeploymentRecord) -> None:
    """Raise the reason why what was asked for could not be carried out.

    Raises:
        OperationFailed: It could not; what served before goes on serving.
    """
    if record.status in OVER:
        raise OperationFailed(f"deployment {record.name!r} is {record.status}: {record.reason or 'no reason is known'}")
    if record.problem is not None:
        raise OperationFailed(f"deployment {record.name!r} serves what it served before: {record.problem}")


def delete(client: Client, deployment_id: str, timeout_s: float | None) -> None:
    """Stop a deployment and delete it."""
    check_timeout(timeout_s)
    try:
        record = client.send(StopDeployment(deployment_id=deployment_id))
        follow(client, record, timeout_s, until=lambda record: record.status in OVER)
    except NotFound:
        return
    client.send(DeleteDeployment(deployment_id=deployment_id))
