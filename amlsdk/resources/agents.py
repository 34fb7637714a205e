"""Agents: machines that execute what others submit, and serve what others deploy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amlsdk.errors import InvalidArgument
from amlsdk.operations.agents import DeleteAgent, GetAgent, ListAgents
from amlsdk.records.agents import AgentRecord
from amlsdk.records.names import check_text, listed
from amlsdk.records.pages import Page
from amlsdk.resources.resource import Collection, Resource

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["Agent", "AgentCollection", "attached_agent"]


class Agent(Resource[AgentRecord]):
    """A machine on which somebody runs `aml agent`; its name is a target of runs, and `deploy(agent=...)` takes it."""

    what = "agent"

    @property
    def alive(self) -> bool:
        """Whether it gave a sign of life lately."""
        return self.record.alive

    @property
    def slots(self) -> int:
        """How many runs it executes at once."""
        return self.record.slots

    @property
    def user(self) -> str:
        """Who began it."""
        return self.record.user

    @property
    def facts(self) -> Mapping[str, str]:
        """What it says of its machine: host, system, processors, memory, GPUs, Python."""
        return self.record.facts

    @property
    def last_seen_at(self) -> dt.datetime:
        """Its last sign of life (UTC)."""
        return self.record.last_seen_at

    def _read(self) -> AgentRecord:
        return self._client.send(GetAgent(agent_id=self.id))

    def delete(self) -> None:
        """Forget it; runs that wait for it go on waiting for one of its name. An absent one is no error.

        Raises:
            Conflict: It gives signs of life: end it where it runs.
        """
        self._client.send(DeleteAgent(agent_id=self.id))


class AgentCollection(Collection[Agent]):
    """The agents of a workspace, also those that are gone."""

    what = "agent"

    def get(self, key: str) -> Agent:
        """Return the agent of a name or id.

        Raises:
            NotFound: There is none.
        """
        return self._get(key)

    def list(self) -> list[Agent]:
        """Return all by name."""
        return list(self)

    def delete(self, agent: str | Agent) -> None:
        """Forget an agent that is gone; an absent one is no error."""
        agent_id = self._id_of(agent)
        if agent_id is not None:
            self._client.send(DeleteAgent(agent_id=agent_id))

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        return self._client.send(ListAgents(name=name, after=after, limit=limit))

    def _read(self, identifier: str) -> AgentRecord:
        return self._client.send(GetAgent(agent_id=identifier))

    def _make(self, record: AgentRecord) -> Agent:
        return Agent(self._client, record)

    def _row(self, record: AgentRecord) -> dict[str, Any]:
        row = {"name": record.name, "state": "attached" if record.alive else "gone", "slots": record.slots}
        return {**row, "user": record.user, "seen": record.last_seen_at.astimezone()}


def attached_agent(client: Client, name: Any, *, what: str) -> str:
    """Return the name of an agent that is attached now.

    Args:
        client: The connection.
        name: Of the agent.
        what: How messages name it, as `deploy(agent=...)`.

    Raises:
        InvalidArgument: There is none.
    """
    check_text(name, what=what)
    attached = [agent.name for agent in AgentCollection(client) if agent.alive]
    if name not in attached:
        there = f"there are {listed(map(repr, attached))}" if attached else "there is none"
        raise InvalidArgument(f"{what}: no agent {name!r} is attached; {there}. `aml agent --name {name}` attaches one")
    return str(name)
