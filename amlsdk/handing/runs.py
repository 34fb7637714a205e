"""A queued run handed to a supervisor."""

from __future__ import annotations

import json

from amlsdk import plugins
from amlsdk.handing.tokens import credential_for
from amlsdk.operations.jobs import ClaimRun
from amlsdk.places import Place
from amlsdk.processes.launching import Detached
from amlsdk.records.runs import RunRecord
from amlsdk.records.tenancy import TokenKind
from amlsdk.service import Service
from amlsdk.wire import to_json

__all__ = ["SUPERVISOR", "hand_over", "is_adapter"]

SUPERVISOR = "amlsdk.execution"


def hand_over(service: Service, place: Place, starting: Detached, *, target: str) -> RunRecord | None:
    """Claim the oldest queued run of a target for a supervisor that is starting, and tell it all it needs.

    Returns:
        The run that it drives; None where none waits or all slots are taken, so that nothing is handed over.

    Raises:
        Unavailable: The supervisor did not start; what it said is above, on standard error.
    """
    supervisor = starting.identity()
    # First, as a run that was claimed and then can't be handed over is lost.
    credential = credential_for(service, place, kind=TokenKind.RUN, name=f"runs of {target} on {supervisor.host}")
    run = service.send(ClaimRun(supervisor=supervisor, target=target)).run
    if run is None:
        credential.end(service)
        return None
    starting.send({**place.to_message(), **credential.to_message(), "claimed": json.loads(to_json(run))})
    return run


def is_adapter(target: str) -> bool:
    """Say whether a target is one that this machine has; any other is the name of an agent."""
    return target in plugins.names("amlsdk.targets")
