"""Agents: attached, kept, listed, forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.local.claiming import free_slots
from amlsdk.local.handling import Local, handles
from amlsdk.local.leases import LEASE_S, owner_text, shown
from amlsdk.local.lookup import check_id, check_texts
from amlsdk.local.pages import page_of
from amlsdk.local.versions import from_json, to_json
from amlsdk.local.waiting import wait_for
from amlsdk.operations.agents import AttachAgent, DeleteAgent, GetAgent, HeartbeatAgent, ListAgents
from amlsdk.records.agents import AgentOrders, AgentRecord
from amlsdk.records.deployments import OVER
from amlsdk.records.names import check_name
from amlsdk.records.pages import Ack, Page
from amlsdk.records.runs import RunStatus
from amlsdk.service import Principal
from amlsdk.storage.catalogue.runs import owner_of
from amlsdk.storage.catalogue.schema import agent, deployment, run
from amlsdk.storage.catalogue.times import from_us, now_us

__all__: list[str] = []

_LEASE_US = int(LEASE_S * 1_000_000)
_MOST_SLOTS = 10_000


@handles(AttachAgent)
def attach_agent(local: Local, principal: Principal, request: AttachAgent) -> AgentRecord:
    """Record an agent, or let a new process take the place of one that is gone."""
    check_id(request.id, what="agent")
    check_name(request.name, what="agent")
    if request.name == "local":
        raise InvalidArgument("no agent can be called 'local': that is the machine of whoever submits")
    check_texts(request.facts, what="fact")
    if not 1 <= request.slots <= _MOST_SLOTS:
        raise InvalidArgument(f"slots are 1 to {_MOST_SLOTS} runs at once, not {request.slots}")
    now = now_us()
    values = {"user": principal.name, "owner": owner_text(request.identity), "slots": request.slots}
    values |= {"facts": to_json(dict(request.facts)), "last_seen_at": now}
    with local.database.write() as connection:
        row = connection.execute(select(agent).where(agent.c.name == request.name)).first()
        if row is None:
            if connection.execute(select(agent.c.id).where(agent.c.id == request.id)).first() is not None:
                raise Conflict(f"an agent of another name has the id {request.id} already; make a new one")
            connection.execute(insert(agent), {"id": request.id, "name": request.name, "created_at": now, **values})
        elif row.owner != values["owner"] and _is_alive(local, row):
            raise Conflict(f"the agent {request.name!r} is {shown(row.owner)} already; end that one, or name another")
        else:
            connection.execute(update(agent).where(agent.c.id == row.id).values(values))
        return _record(local, connection.execute(select(agent).where(agent.c.name == request.name)).one())


@handles(GetAgent)
def get_agent(local: Local, _: Principal, request: GetAgent) -> AgentRecord:
    """Read an agent."""
    with local.database.read() as connection:
        return _record(local, _find(connection, request.agent_id))


@handles(ListAgents)
def list_agents(local: Local, _: Principal, request: ListAgents) -> Page[AgentRecord]:
    """List agents by name."""
    statement = select(agent)
    if request.name is not None:
        statement = statement.where(agent.c.name == request.name)
    with local.database.read() as connection:
        return page_of(
            connection, statement, [agent.c.name], request, lambda rows: [_record(local, row) for row in rows]
        )


@handles(HeartbeatAgent)
def heartbeat_agent(local: Local, _: Principal, request: HeartbeatAgent) -> AgentOrders:
    """Note a sign of life and say what waits, holding back an answer that has no news."""
    with local.database.write() as connection:
        row = _find(connection, request.agent_id)
        if row.owner != owner_text(request.identity):
            raise Conflict(f"the agent {row.name!r} is {shown(row.owner)} now, not this process")
        connection.execute(update(agent).where(agent.c.id == row.id).values(last_seen_at=now_us()))

    def news() -> AgentOrders | None:
        orders = _orders(local, request.agent_id)
        return orders if orders.queued or orders.deployments else None

    found = wait_for(news, request.wait_s) if request.wait_s else None
    return found or _orders(local, request.agent_id)


@handles(DeleteAgent)
def delete_agent(local: Local, _: Principal, request: DeleteAgent) -> Ack:
    """Forget an agent that is gone."""
    with local.database.write() as connection:
        row = connection.execute(select(agent).where(agent.c.id == request.agent_id)).first()
        if row is not None and _is_alive(local, row):
            raise Conflict(f"the agent {row.name!r} gives signs of life ({shown(row.owner)}); end it first")
        connection.execute(delete(agent).where(agent.c.id == request.agent_id))
    return Ack()


def _orders(local: Local, agent_id: str) -> AgentOrders:
    with local.database.read() as connection:
        row = _find(connection, agent_id)
        waiting = select(func.count()).where(run.c.status == RunStatus.QUEUED, run.c.target == row.name)
        queued = min(connection.execute(waiting).scalar_one(), free_slots(connection, row.name, row.slots))
        idle = deployment.c.owner.is_(None) & (deployment.c.agent == row.name) & deployment.c.status.not_in(OVER)
        idle &= deployment.c.stop_requested.is_(False)
        found = connection.execute(select(deployment.c.id).where(idle).order_by(deployment.c.pk)).scalars()
        return AgentOrders(agent=_record(local, row), queued=queued, deployments=tuple(found), lease_s=LEASE_S)


def _find(connection: Connection, agent_id: str) -> Any:
    row = connection.execute(select(agent).where(agent.c.id == agent_id)).first()
    if row is None:
        raise NotFound(f"this workspace has no agent {agent_id[:80]!r}")
    return row


def _is_alive(local: Local, row: Any) -> bool:
    owner = owner_of(row.owner)
    gone = None if owner is None else local.is_gone(owner)
    return gone is False or (gone is None and row.last_seen_at + _LEASE_US >= now_us())


def _record(local: Local, row: Any) -> AgentRecord:
    owner = owner_of(row.owner)
    assert owner is not None  # noqa: S101  # none is recorded without
    return AgentRecord(
        id=row.id,
        name=row.name,
        user=row.user,
        identity=owner,
        slots=row.slots,
        created_at=from_us(row.created_at),
        last_seen_at=from_us(row.last_seen_at),
        alive=_is_alive(local, row),
        facts=from_json(row.facts, Mapping[str, str]),  # type: ignore[type-abstract]
    )
