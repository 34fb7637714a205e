"""Deployments: asked for, changed, listed, deleted."""

from __future__ import annotations

import math
import re
import secrets
from typing import Any

import attrs
from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.filesets.removing import remove_tree
from amlsdk.local.deployment_records import deployment_records, keys_of
from amlsdk.local.handling import Local, handles
from amlsdk.local.lookup import check_id, check_texts, find_deployment, find_image
from amlsdk.local.pages import page_of
from amlsdk.local.printed import append_printed, check_read, read_printed
from amlsdk.local.settling_deployments import is_lost, settle_deployments
from amlsdk.local.versions import to_json
from amlsdk.local.waiting import wait_for
from amlsdk.operations.deployments import (
    AppendDeploymentLog,
    CreateDeployment,
    DeleteDeployment,
    GetDeployment,
    GetDeploymentKeys,
    ListDeployments,
    ReadDeploymentLog,
    RollBackDeployment,
    RotateDeploymentKey,
    StopDeployment,
    UpdateDeployment,
)
from amlsdk.records.deployments import OVER, DeploymentKeys, DeploymentRecord, DeploymentStatus
from amlsdk.records.images import ImageStatus
from amlsdk.records.jobs import OutputPosition
from amlsdk.records.names import check_key, check_name
from amlsdk.records.pages import Ack, Page
from amlsdk.records.secrets import check_secret_name
from amlsdk.records.streams import ByteStream
from amlsdk.service import Principal
from amlsdk.storage.catalogue.schema import deployment, deployment_served, image
from amlsdk.storage.catalogue.times import now_us
from amlsdk.storage.outputs.base import log_key

__all__: list[str] = []

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_MOST_REPLICAS = 1000
_KEY_BYTES = 32
_PAUSE_S = 0.04


@handles(CreateDeployment)
def create_deployment(local: Local, principal: Principal, request: CreateDeployment) -> DeploymentRecord:
    """Record what is wanted, or answer a repeated request with what was recorded."""
    _check(request)
    with local.database.write() as connection:
        clash = (deployment.c.id == request.id) | (deployment.c.name == request.name)
        existing = connection.execute(select(deployment).where(clash)).first()
        if existing is None:
            _record(connection, principal, request)
        elif existing.id != request.id:
            raise Conflict(
                f"a deployment named {request.name!r} exists already: {existing.id}; update it, or delete it first"
            )
        elif existing.name != request.name:
            raise Conflict(f"deployment {request.id} exists already with other fields: it is named {existing.name!r}")
        return _read(connection, request.id)


@handles(GetDeployment)
def get_deployment(local: Local, _: Principal, request: GetDeployment) -> DeploymentRecord:
    """Read a deployment, waiting until all that was asked for was carried out, or could not be."""

    def settled() -> DeploymentRecord | None:
        record = _settled(local, request.deployment_id)
        return record if record.is_settled else None

    # Somebody waits for it to serve.
    return wait_for(settled, request.wait_s, longest_pause_s=_PAUSE_S) or _settled(local, request.deployment_id)


@handles(ListDeployments)
def list_deployments(local: Local, _: Principal, request: ListDeployments) -> Page[DeploymentRecord]:
    """List deployments by name."""
    settle_deployments(local)
    statement = select(deployment)
    if request.name is not None:
        statement = statement.where(deployment.c.name == request.name)
    if request.image_id is not None:
        keys = select(image.c.pk).where(image.c.id == request.image_id)
        statement = statement.where(or_(deployment.c.image_pk.in_(keys), deployment.c.serving_pk.in_(keys)))
    with local.database.read() as connection:
        return page_of(
            connection, statement, [deployment.c.name], request, lambda rows: deployment_records(connection, rows)
        )


@handles(UpdateDeployment)
def update_deployment(local: Local, _: Principal, request: UpdateDeployment) -> DeploymentRecord:
    """Ask for another image or number of replicas."""
    if request.replicas is not None:
        _check_replicas(request.replicas)
    with local.database.write() as connection:
        row = find_deployment(connection, request.deployment_id)
        changes: dict[str, Any] = {}
        if request.image_id is not None:
            changes |= {"image_pk": _usable_image(connection, request.image_id).pk, "cause": "updated"}
        if request.replicas is not None:
            changes["replicas"] = request.replicas
        if changes:
            _ask(connection, row, changes)
        return _read(connection, request.deployment_id)


@handles(RollBackDeployment)
def roll_back_deployment(local: Local, _: Principal, request: RollBackDeployment) -> DeploymentRecord:
    """Ask for the image that served before."""
    with local.database.write() as connection:
        row = find_deployment(connection, request.deployment_id)
        others = select(deployment_served.c.image_pk).where(
            deployment_served.c.deployment_pk == row.pk, deployment_served.c.image_pk != row.serving_pk
        )
        before = connection.execute(others.order_by(deployment_served.c.number.desc()).limit(1)).scalar()
        if before is None:
            raise Conflict(f"deployment {row.name!r} can't be rolled back: nothing else served before")
        _ask(connection, row, {"image_pk": before, "cause": "rolled back"})
        return _read(connection, request.deployment_id)


@handles(StopDeployment)
def stop_deployment(local: Local, _: Principal, request: StopDeployment) -> DeploymentRecord:
    """Ask that it end; where nobody supervises it, it has ended."""
    with local.database.write() as connection:
        row = find_deployment(connection, request.deployment_id)
        values: dict[str, Any] = {"stop_requested": True, "updated_at": now_us()}
        if row.owner is None or is_lost(local, row):
            values |= {"status": DeploymentStatus.STOPPED, "reason": "stopped", "owner": None}
        connection.execute(update(deployment).where(deployment.c.pk == row.pk).values(values))
        return _read(connection, request.deployment_id)


@handles(DeleteDeployment)
def delete_deployment(local: Local, _: Principal, request: DeleteDeployment) -> Ack:
    """Delete one that nobody supervises, with its files."""
    settle_deployments(local)
    with local.database.write() as connection:
        row = connection.execute(select(deployment).where(deployment.c.id == request.deployment_id)).first()
        if row is None:
            return Ack()
        if row.owner is not None and row.status not in OVER:
            raise Conflict(f"deployment {row.name!r} is {row.status}: stop it first")
        connection.execute(delete(deployment).where(deployment.c.pk == row.pk))
    local.outputs.delete(log_key(row.id))
    remove_tree(local.deployment_folder(row.id))
    return Ack()


@handles(GetDeploymentKeys)
def get_deployment_keys(local: Local, _: Principal, request: GetDeploymentKeys) -> DeploymentKeys:
    """Read the keys."""
    with local.database.read() as connection:
        return keys_of(find_deployment(connection, request.deployment_id))


@handles(RotateDeploymentKey)
def rotate_deployment_key(local: Local, _: Principal, request: RotateDeploymentKey) -> DeploymentKeys:
    """Replace one of the keys."""
    if request.key not in ("primary", "secondary"):
        raise InvalidArgument(f"a deployment has the keys 'primary' and 'secondary', none named {request.key[:80]!r}")
    with local.database.write() as connection:
        row = find_deployment(connection, request.deployment_id)
        values = {f"{request.key}_key": _new_key(), "updated_at": now_us()}
        connection.execute(update(deployment).where(deployment.c.pk == row.pk).values(values))
        return keys_of(find_deployment(connection, request.deployment_id))


@handles(AppendDeploymentLog)
def append_deployment_log(local: Local, _: Principal, request: AppendDeploymentLog) -> OutputPosition:
    """Append to the log after what is there."""
    with local.database.read() as connection:
        key = log_key(find_deployment(connection, request.deployment_id).id)
    return append_printed(local, key, request)


@handles(ReadDeploymentLog)
def read_deployment_log(local: Local, _: Principal, request: ReadDeploymentLog) -> ByteStream:
    """Read the log from a byte on, waiting while there is none and the deployment lives."""
    check_read(request)
    key = log_key(_settled(local, request.deployment_id).id)
    return read_printed(local, key, request, is_over=lambda: _settled(local, request.deployment_id).status in OVER)


def _check(request: CreateDeployment) -> None:
    check_id(request.id, what="deployment")
    if not _NAME.fullmatch(request.name):
        raise InvalidArgument(
            f"{request.name[:160]!r} can't name a deployment: 1 to 63 lower-case letters, digits, '-' or '.', "
            "with a letter or digit at both ends"
        )
    check_key(request.target, what="deployer")
    _check_replicas(request.replicas)
    check_texts(request.environment_variables, what="environment variable")
    for name in request.secrets.values():
        check_secret_name(name)
    if request.agent is not None:
        check_name(request.agent, what="agent")
    for name, limit in attrs.asdict(request.settings).items():
        # A flag is neither; NaN is no limit.
        if not isinstance(limit, bool) and not 0 < limit < math.inf:
            raise InvalidArgument(f"settings.{name} is a number above 0, not {limit}")


def _check_replicas(replicas: int) -> None:
    if not 1 <= replicas <= _MOST_REPLICAS:
        raise InvalidArgument(f"replicas are 1 to {_MOST_REPLICAS}, not {replicas}")


def _usable_image(connection: Connection, image_id: str) -> Any:
    row = find_image(connection, image_id)
    if row.status != ImageStatus.COMPLETED:
        raise Conflict(f"image {row.name!r} version {row.version} can't be deployed: it is {row.status}")
    return row


def _record(connection: Connection, principal: Principal, request: CreateDeployment) -> None:
    now = now_us()
    values = {
        "id": request.id,
        "name": request.name,
        "target": request.target,
        "image_pk": _usable_image(connection, request.image_id).pk,
        "replicas": request.replicas,
        "generation": 1,
        "cause": "deployed",
        "observed": 0,
        "status": DeploymentStatus.CREATING,
        "reason": "waits for its supervisor",
        "settings": to_json(request.settings),
        "environment_variables": to_json(dict(request.environment_variables)),
        "secrets": to_json(dict(request.secrets)),
        "agent": request.agent,
        "primary_key": _new_key(),
        "secondary_key": _new_key(),
        "keys_seen": "",
        "user": principal.name,
        "created_at": now,
        "updated_at": now,
        "restarts": 0,
        "stop_requested": False,
    }
    connection.execute(insert(deployment), values)


def _ask(connection: Connection, row: Any, changes: dict[str, Any]) -> None:
    values = changes | {"generation": row.generation + 1, "updated_at": now_us()}
    if row.agent is not None and row.status in OVER:
        # Nobody but its agent begins a supervisor for it, which looks for what is to be begun.
        values |= {"status": DeploymentStatus.CREATING, "reason": "waits for its agent", "stop_requested": False}
    connection.execute(update(deployment).where(deployment.c.pk == row.pk).values(values))


def _new_key() -> str:
    return secrets.token_urlsafe(_KEY_BYTES)


def _settled(local: Local, deployment_id: str) -> DeploymentRecord:
    settle_deployments(local)
    with local.database.read() as connection:
        return _read(connection, deployment_id)


def _read(connection: Connection, deployment_id: str) -> DeploymentRecord:
    return deployment_records(connection, [find_deployment(connection, deployment_id)], history=True)[0]
