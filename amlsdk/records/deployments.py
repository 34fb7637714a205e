"""Deployments: images that serve."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping

import attrs

from amlsdk.records.jobs import ProcessIdentity
from amlsdk.records.serving import ScoringSettings

__all__ = [
    "OVER",
    "DeploymentKeys",
    "DeploymentOrders",
    "DeploymentRecord",
    "DeploymentStatus",
    "ServedRecord",
    "TrafficRecord",
]


class DeploymentStatus:
    """The states of a deployment."""

    CREATING = "Creating"
    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    FAILED = "Failed"
    STOPPED = "Stopped"


# Nothing serves, and nobody is about to see that something does.
OVER = frozenset({DeploymentStatus.FAILED, DeploymentStatus.STOPPED})


@attrs.frozen(kw_only=True)
class ServedRecord:
    """What served, and when.

    Args:
        image_id: The image.
        began_at: When requests began to go to it (UTC).
        ended_at: When they ceased to; None for the one that serves now.
        reason: `deployed`, `updated`, `rolled back` or `started again`.
    """

    image_id: str
    began_at: dt.datetime
    ended_at: dt.datetime | None = None
    reason: str = "deployed"


@attrs.frozen(kw_only=True)
class TrafficRecord:
    """What a deployment was asked, counted since it was made.

    Args:
        at: When this was counted (UTC).
        requests: Scoring requests by HTTP status of their answer.
        latency: The histogram `sketches.histogram` packs, of seconds from the last byte of a request to its answer.
        batches: How many calls of `run` there were.
        rows: How many rows they had.
    """

    at: dt.datetime
    requests: Mapping[str, int] = attrs.field(factory=dict)
    latency: Mapping[str, int] = attrs.field(factory=dict)
    batches: int = 0
    rows: int = 0


@attrs.frozen(kw_only=True)
class DeploymentRecord:
    """A scoring service.

    What is wanted is written by whoever asks (`image_id`, `replicas`, `generation`), what is so by the supervisor
    (`status`, `serving_id`, `observed`, `scoring_uri`).

    Args:
        id: Its id.
        name: Unique: 1 to 63 lower-case letters, digits, `-` and `.`, with a letter or digit at both ends.
        target: Name of the deployer.
        image_id: The image that is to serve.
        replicas: How many processes or containers are to serve it.
        generation: Counts what was asked for, from 1.
        observed: The newest generation that was carried out, or could not be.
        status: One of `DeploymentStatus`.
        reason: Why it has this status, in a sentence or more.
        problem: Why the newest generation could not be carried out, else None; what served before goes on serving.
        serving_id: The image that serves now, or None.
        scoring_uri: Where `POST` scores, or None until it is known.
        settings: Its limits.
        environment_variables: Set for the scoring script.
        user: Who made it.
        created_at: When (UTC).
        updated_at: When something was last asked for or found out.
        keys_accepted: Whether what serves accepts the present keys, and no others.
        restarts: How often a process had to be started again.
        history: What served when, oldest first; empty in lists.
        owner: Its supervisor.
        agent: Name of the agent whose machine serves it; None where the machine of whoever deployed it does.
        secrets: Names of secrets by the environment variable that each is given in.
    """

    id: str
    name: str
    target: str
    image_id: str
    replicas: int
    generation: int
    observed: int
    status: str
    user: str
    created_at: dt.datetime
    updated_at: dt.datetime
    reason: str = ""
    problem: str | None = None
    serving_id: str | None = None
    scoring_uri: str | None = None
    settings: ScoringSettings = attrs.field(factory=ScoringSettings)
    environment_variables: Mapping[str, str] = attrs.field(factory=dict)
    keys_accepted: bool = False
    restarts: int = 0
    history: tuple[ServedRecord, ...] = ()
    owner: ProcessIdentity | None = None
    agent: str | None = None
    secrets: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def is_settled(self) -> bool:
        """Whether all that was asked for was carried out, or could not be."""
        carried_out = self.observed >= self.generation and self.keys_accepted
        return (carried_out and self.status != DeploymentStatus.CREATING) or self.status in OVER


@attrs.frozen(kw_only=True)
class DeploymentKeys:
    """The keys of a deployment; either is accepted.

    Args:
        primary: A key.
        secondary: Another one.
    """

    primary: str = attrs.field(repr=False)
    secondary: str = attrs.field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 by which a supervisor says which keys it knows."""
        return hashlib.sha256(f"{self.primary}\n{self.secondary}".encode()).hexdigest()


@attrs.frozen(kw_only=True)
class DeploymentOrders:
    """What a supervisor is to bring about.

    Args:
        deployment: What is wanted.
        keys: The keys that are accepted now.
        stop: Whether it is to end.
        news: Whether something is wanted beyond what was reported.
        lease_s: The claim is lost after so many seconds without the next report.
    """

    deployment: DeploymentRecord
    keys: DeploymentKeys
    stop: bool
    news: bool
    lease_s: float
