"""Agents: machines that execute what others submit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import attrs

from amlsdk.records.jobs import ProcessIdentity

__all__ = ["AgentOrders", "AgentRecord"]


@attrs.frozen(kw_only=True)
class AgentRecord:
    """A machine that offers to execute runs and to serve deployments, under a name that they name as target.

    Args:
        id: Its id.
        name: Unique in the workspace.
        user: Who began it.
        identity: Its process.
        slots: How many runs it executes at once.
        created_at: When it was first attached (UTC).
        last_seen_at: Its last sign of life (UTC).
        alive: Whether that is recent.
        facts: What it says of its machine: system, processors, memory, GPUs, Python.
    """

    id: str
    name: str
    user: str
    identity: ProcessIdentity
    slots: int
    created_at: dt.datetime
    last_seen_at: dt.datetime
    alive: bool = True
    facts: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class AgentOrders:
    """What an agent is to look at now.

    Args:
        agent: As it is recorded.
        queued: How many of the runs that wait for it have a slot.
        deployments: Ids of the deployments that wait for a supervisor on it.
        lease_s: It counts as gone after so many seconds without the next sign of life.
    """

    agent: AgentRecord
    queued: int = 0
    deployments: tuple[str, ...] = ()
    lease_s: float = 30.0
