"""A deployment handed to a supervisor that is starting."""

from __future__ import annotations

import os

from amlsdk.deployers.handed import Handed
from amlsdk.handing.tokens import credential_for
from amlsdk.operations.deployments import ClaimDeployment
from amlsdk.operations.manifests import GetManifest
from amlsdk.places import Place
from amlsdk.processes.launching import Detached
from amlsdk.records.images import ImageRecord
from amlsdk.records.tenancy import TokenKind
from amlsdk.service import Service

__all__ = ["SUPERVISOR", "hand_over"]

SUPERVISOR = "amlsdk.deployers"


def hand_over(service: Service, place: Place, starting: Detached, *, deployment_id: str, image: ImageRecord) -> None:
    """Claim a deployment for its supervisor, and tell it all that it needs to begin.

    Raises:
        Conflict: Another supervisor has it.
        Unavailable: The supervisor did not start; what it said is above, on standard error.
    """
    os.makedirs(place.spool.deployments, mode=0o700, exist_ok=True)  # noqa: PTH103  # with its parents
    supervisor = starting.identity()
    # First, as a deployment that was claimed and then can't be handed over is lost.
    credential = credential_for(service, place, kind=TokenKind.DEPLOYMENT, name=f"deployment on {supervisor.host}")
    try:
        orders = service.send(ClaimDeployment(deployment_id=deployment_id, supervisor=supervisor))
        manifest = service.send(GetManifest(manifest_id=image.manifest_id))
    except BaseException:
        credential.end(service)
        raise
    handed = Handed(orders=orders, image=image, manifest=manifest)
    starting.send({**place.to_message(), **credential.to_message(), "handed": handed.to_message()})
