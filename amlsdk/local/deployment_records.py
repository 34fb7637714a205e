"""Records of deployments from their rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from sqlalchemy import select
from sqlalchemy.engine import Connection

from amlsdk.local.versions import from_json
from amlsdk.records.deployments import DeploymentKeys, DeploymentRecord, ServedRecord
from amlsdk.records.serving import ScoringSettings
from amlsdk.storage.catalogue.runs import owner_of
from amlsdk.storage.catalogue.schema import deployment_served, image
from amlsdk.storage.catalogue.times import from_us

__all__ = ["deployment_records", "keys_of"]


def keys_of(row: Any) -> DeploymentKeys:
    """Return the keys of a row."""
    return DeploymentKeys(primary=row.primary_key, secondary=row.secondary_key)


def deployment_records(connection: Connection, rows: Sequence[Any], *, history: bool = False) -> list[DeploymentRecord]:
    """Return the records of deployments, in the order of their rows, with or without what served when."""
    served = _served(connection, [row.pk for row in rows]) if history else {}
    keys = {key for row in rows for key in (row.image_pk, row.serving_pk) if key is not None}
    ids = _image_ids(connection, keys)
    return [_made(row, ids, tuple(served.get(row.pk, ()))) for row in rows]


def _made(row: Any, ids: Mapping[int, str], history: tuple[ServedRecord, ...]) -> DeploymentRecord:
    own = {field.name for field in attrs.fields(DeploymentRecord)} & set(row._fields)
    other = {
        "image_id": ids[row.image_pk],
        "serving_id": None if row.serving_pk is None else ids[row.serving_pk],
        "created_at": from_us(row.created_at),
        "updated_at": from_us(row.updated_at),
        "settings": from_json(row.settings, ScoringSettings),
        "environment_variables": from_json(row.environment_variables, Mapping[str, str]),  # type: ignore[type-abstract]
        "secrets": from_json(row.secrets, Mapping[str, str]),  # type: ignore[type-abstract]
        "agent": row.agent,
        "keys_accepted": row.keys_seen == keys_of(row).digest,
        "history": history,
        "owner": owner_of(row.owner),
    }
    return DeploymentRecord(**{name: getattr(row, name) for name in own} | other)


def _served(connection: Connection, keys: Sequence[int]) -> dict[int, list[ServedRecord]]:
    chosen = select(deployment_served).where(deployment_served.c.deployment_pk.in_(keys))
    rows = connection.execute(chosen.order_by(deployment_served.c.number)).all()
    ids = _image_ids(connection, {row.image_pk for row in rows})
    found: dict[int, list[ServedRecord]] = defaultdict(list)
    for row in rows:
        ended = None if row.ended_at is None else from_us(row.ended_at)
        one = ServedRecord(
            image_id=ids[row.image_pk], began_at=from_us(row.began_at), ended_at=ended, reason=row.reason
        )
        found[row.deployment_pk].append(one)
    return found


def _image_ids(connection: Connection, keys: set[int]) -> dict[int, str]:
    rows = connection.execute(select(image.c.pk, image.c.id).where(image.c.pk.in_(keys)))
    return {row.pk: row.id for row in rows}
