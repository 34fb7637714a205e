"""Deployments in the hands of their supervisors: claimed, reported on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.local.deployment_records import deployment_records, keys_of
from amlsdk.local.handling import Local, handles
from amlsdk.local.leases import LEASE_S, lease_end, owner_text, refuse_others, shown
from amlsdk.local.lookup import find_deployment, find_image
from amlsdk.local.pages import page_of
from amlsdk.local.settling_deployments import is_lost
from amlsdk.local.versions import from_json, to_json
from amlsdk.local.waiting import wait_for
from amlsdk.operations.deployments import ClaimDeployment, ListTraffic, ReportDeployment
from amlsdk.records.deployments import OVER, DeploymentOrders, DeploymentStatus, TrafficRecord
from amlsdk.records.names import MAX_TEXT, check_text
from amlsdk.records.pages import Page
from amlsdk.service import Principal
from amlsdk.storage.catalogue import dialects
from amlsdk.storage.catalogue.schema import deployment, deployment_served, deployment_traffic
from amlsdk.storage.catalogue.times import now_us, to_us

__all__: list[str] = []

_STATUSES = (
    DeploymentStatus.CREATING,
    DeploymentStatus.HEALTHY,
    DeploymentStatus.UNHEALTHY,
    DeploymentStatus.FAILED,
    DeploymentStatus.STOPPED,
)
_STRETCH_US = 10_000_000
_KEPT_WHOLE = 8640  # stretches: a day
_LATER_ONE_IN = 60  # every ten minutes


@handles(ClaimDeployment)
def claim_deployment(local: Local, _: Principal, request: ClaimDeployment) -> DeploymentOrders:
    """Take a deployment over, where no supervisor lives."""
    with local.database.write() as connection:
        row = find_deployment(connection, request.deployment_id)
        mine = owner_text(request.supervisor)
        if row.owner not in (None, mine) and row.status not in OVER and not is_lost(local, row):
            raise Conflict(f"deployment {row.name!r} is supervised by {shown(row.owner)}")
        values = {"owner": mine, "lease_until": lease_end(), "updated_at": now_us()}
        if row.owner != mine:
            values |= {"status": DeploymentStatus.CREATING, "reason": "", "stop_requested": False}
            # It brings about what is wanted from nothing.
            values |= {"serving_pk": None, "observed": 0}
            values |= {"cause": "started again"} if row.observed or row.serving_pk else {}
            _close_history(connection, row.pk)
        connection.execute(update(deployment).where(deployment.c.pk == row.pk).values(values))
        return _orders(connection, request.deployment_id)


@handles(ReportDeployment)
def report_deployment(local: Local, _: Principal, request: ReportDeployment) -> DeploymentOrders:
    """Enter what its supervisor says, and answer what is wanted as soon as something is."""
    if request.status not in _STATUSES:
        raise InvalidArgument(f"a deployment is {', '.join(_STATUSES)}, not {request.status!r}")
    check_text(request.reason[:MAX_TEXT], what="the reason")
    check_text((request.problem or "")[:MAX_TEXT], what="the problem")
    with local.database.write() as connection:
        row = find_deployment(connection, request.deployment_id)
        refuse_others(row, request.supervisor, what="deployment")
        _enter(connection, row, request)
        if request.traffic is not None:
            _count(connection, row.pk, request.traffic)

    def news() -> DeploymentOrders | None:
        with local.database.read() as connection:
            # Each idle deployment looks some times a second: the record is made only where it is told.
            if not _is_news(find_deployment(connection, request.deployment_id), request.keys_seen):
                return None
            return _orders(connection, request.deployment_id, keys_seen=request.keys_seen)

    found = wait_for(news, request.wait_s)
    if found is None:
        with local.database.read() as connection:
            found = _orders(connection, request.deployment_id, keys_seen=request.keys_seen)
    return found


@handles(ListTraffic)
def list_traffic(local: Local, _: Principal, request: ListTraffic) -> Page[TrafficRecord]:
    """List what was counted, newest first."""
    with local.database.read() as connection:
        row = find_deployment(connection, request.deployment_id)
        statement = select(deployment_traffic).where(deployment_traffic.c.deployment_pk == row.pk)
        if request.before is not None:
            statement = statement.where(deployment_traffic.c.at <= to_us(request.before))
        keys = [-deployment_traffic.c.stretch]
        return page_of(
            connection,
            statement,
            keys,
            request,
            lambda rows: [from_json(one.counts, TrafficRecord) for one in rows],
        )


def _enter(connection: Connection, row: Any, request: ReportDeployment) -> None:
    serving = None if request.serving_id is None else find_image(connection, request.serving_id).pk
    values: dict[str, Any] = {
        "status": request.status,
        "reason": request.reason[:MAX_TEXT],
        "observed": request.observed,
        "problem": None if request.problem is None else request.problem[:MAX_TEXT],
        "serving_pk": serving,
        "scoring_uri": request.scoring_uri or row.scoring_uri,
        "restarts": request.restarts,
        "keys_seen": request.keys_seen,
    }
    if serving != row.serving_pk:
        _close_history(connection, row.pk)
        if serving is not None:
            _open_history(connection, row, serving)
    if request.problem is not None and request.observed == row.generation and serving is not None:
        # What could not be brought about is not wanted any more: after a restart it would be tried again.
        values["image_pk"] = serving
    if any(getattr(row, name) != value for name, value in values.items()):
        values["updated_at"] = now_us()
    if request.status in OVER:
        _close_history(connection, row.pk)
        values |= {"owner": None, "lease_until": None}
    else:
        values["lease_until"] = lease_end()
    connection.execute(update(deployment).where(deployment.c.pk == row.pk).values(values))


def _open_history(connection: Connection, row: Any, serving: int) -> None:
    last = select(func.max(deployment_served.c.number)).where(deployment_served.c.deployment_pk == row.pk)
    values = {
        "deployment_pk": row.pk,
        "number": (connection.execute(last).scalar() or 0) + 1,
        "image_pk": serving,
        "began_at": now_us(),
        "reason": row.cause,
    }
    connection.execute(insert(deployment_served), values)


def _close_history(connection: Connection, key: int) -> None:
    open_ones = (deployment_served.c.deployment_pk == key) & deployment_served.c.ended_at.is_(None)
    connection.execute(update(deployment_served).where(open_ones).values(ended_at=now_us()))


def _count(connection: Connection, key: int, traffic: TrafficRecord) -> None:
    """Keep a count for each ten seconds, and after a day for each ten minutes."""
    at = to_us(traffic.at)
    values = {"stretch": at // _STRETCH_US, "at": at, "counts": to_json(traffic)}
    statement = dialects.insert(connection, deployment_traffic).values(deployment_pk=key, **values)
    newer = {name: values[name] for name in ("at", "counts")}
    connection.execute(statement.on_conflict_do_update(index_elements=["deployment_pk", "stretch"], set_=newer))
    stretch = deployment_traffic.c.stretch
    old = (stretch < at // _STRETCH_US - _KEPT_WHOLE) & (stretch % _LATER_ONE_IN != 0)
    connection.execute(delete(deployment_traffic).where(deployment_traffic.c.deployment_pk == key, old))


def _orders(connection: Connection, deployment_id: str, *, keys_seen: str = "") -> DeploymentOrders:
    row = find_deployment(connection, deployment_id)
    return DeploymentOrders(
        deployment=deployment_records(connection, [row])[0],
        keys=keys_of(row),
        stop=row.stop_requested,
        news=_is_news(row, keys_seen),
        lease_s=LEASE_S,
    )


def _is_news(row: Any, keys_seen: str) -> bool:
    return bool(row.stop_requested or row.generation > row.observed or keys_of(row).digest != keys_seen)
