"""Deployments whose supervisor is gone: said at the next contact."""

from __future__ import annotations

import socket
from typing import Any

from sqlalchemy import select, update

from amlsdk.local.handling import Local
from amlsdk.local.leases import shown
from amlsdk.processes import this_process
from amlsdk.records.deployments import DeploymentStatus
from amlsdk.storage.catalogue.runs import owner_of
from amlsdk.storage.catalogue.schema import deployment, deployment_served
from amlsdk.storage.catalogue.times import now_us

__all__ = ["is_lost", "settle_deployments"]

_LIVE = select(deployment).where(deployment.c.status.not_in([DeploymentStatus.FAILED, DeploymentStatus.STOPPED]))
# Between its record and its supervisor, a deployment is nobody's for a moment.
_UNCLAIMED_US = 60_000_000


def settle_deployments(local: Local) -> None:
    """Enter the end of deployments that nobody supervises any more."""
    with local.database.read() as connection:
        lost = [row for row in connection.execute(_LIVE).all() if is_lost(local, row)]
    if not lost or local.database.read_only:
        return
    with local.database.write() as connection:
        for row in lost:
            now = now_us()
            stopped = DeploymentStatus.STOPPED if row.stop_requested else DeploymentStatus.FAILED
            values = {"status": stopped, "reason": _reason(local, row), "updated_at": now, "owner": None}
            same = (deployment.c.pk == row.pk) & (deployment.c.updated_at == row.updated_at)
            connection.execute(
                update(deployment).where(same, deployment.c.owner.is_not_distinct_from(row.owner)).values(values)
            )
            open_ones = (deployment_served.c.deployment_pk == row.pk) & deployment_served.c.ended_at.is_(None)
            connection.execute(update(deployment_served).where(open_ones).values(ended_at=now))


def is_lost(local: Local, row: Any) -> bool:
    """Say whether nobody supervises a deployment any more."""
    owner = owner_of(row.owner)
    if owner is None:
        return bool(row.updated_at + _UNCLAIMED_US < now_us())
    gone = local.is_gone(owner)
    return gone is True or (gone is None and row.lease_until < now_us())


def _reason(local: Local, row: Any) -> str:
    owner = owner_of(row.owner)
    if row.stop_requested:
        return "stopped"
    if owner is None:
        return "no supervisor took it over; start it again"
    if local.is_gone(owner) is None:
        return f"no sign of life from its supervisor ({shown(row.owner)}); start it again"
    if owner.host == socket.gethostname() and owner.boot_id != this_process().boot_id:
        return "this machine was restarted since it served; start it again"
    return f"its supervisor ({shown(row.owner)}) is gone, and its processes with it; start it again"
