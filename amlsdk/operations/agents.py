"""Operations of agents: machines that execute what others submit."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.agents import AgentOrders, AgentRecord
from amlsdk.records.jobs import ProcessIdentity
from amlsdk.records.pages import Ack, Page

__all__ = ["AttachAgent", "DeleteAgent", "GetAgent", "HeartbeatAgent", "ListAgents"]


@operation("POST", "/v1/agents", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class AttachAgent(Request[AgentRecord]):
    """Offer a machine under a name; a Conflict while another process offers one under it."""

    id: str
    name: str
    identity: ProcessIdentity
    slots: int = 1
    facts: Mapping[str, str] = attrs.field(factory=dict)


@operation("GET", "/v1/agents/{agent_id}", role=Role.READER)
@attrs.frozen(kw_only=True)
class GetAgent(Request[AgentRecord]):
    """Read an agent."""

    agent_id: str


@operation("GET", "/v1/agents", role=Role.READER)
@attrs.frozen(kw_only=True)
class ListAgents(Request[Page[AgentRecord]]):
    """List agents by name, or find the one of a name."""

    name: str | None = None
    limit: int = 100
    after: str | None = None


@operation("POST", "/v1/agents/{agent_id}/heartbeat", role=Role.CONTRIBUTOR, sign_of_life=True)
@attrs.frozen(kw_only=True)
class HeartbeatAgent(Request[AgentOrders]):
    """Give a sign of life; the reply is held back up to `wait_s` until something waits for this agent."""

    agent_id: str
    identity: ProcessIdentity
    wait_s: float = 0.0


@operation("DELETE", "/v1/agents/{agent_id}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class DeleteAgent(Request[Ack]):
    """Forget an agent; a Conflict while its process gives signs of life."""

    agent_id: str
