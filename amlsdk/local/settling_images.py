"""Builds whose process is gone, ended with the reason at the next contact."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from amlsdk.local.handling import Local
from amlsdk.local.leases import shown
from amlsdk.records.images import BUILT, ImageStatus
from amlsdk.storage.catalogue.runs import owner_of
from amlsdk.storage.catalogue.schema import image
from amlsdk.storage.catalogue.times import now_us

__all__ = ["settle_images"]

_ACTIVE = select(image).where(image.c.status.in_([ImageStatus.BUILDING, ImageStatus.CANCEL_REQUESTED]))


def settle_images(local: Local) -> None:
    """End all builds whose process is gone or gives no sign of life; one look at an index where none is active."""
    with local.database.read() as connection:
        lost = [row for row in connection.execute(_ACTIVE).all() if _is_lost(local, row)]
    if not lost or local.database.read_only:
        return
    with local.database.write() as connection:
        for row in lost:
            same = (image.c.pk == row.pk) & (image.c.lease_until == row.lease_until) & image.c.status.not_in(BUILT)
            where = f" at the step {row.step!r}" if row.step else ""
            ended = {
                "status": ImageStatus.FAILED,
                "error": f"its builder ({shown(row.owner)}) is gone{where}",
                "ended_at": now_us(),
            }
            connection.execute(update(image).where(same).values(ended))


def _is_lost(local: Local, row: Any) -> bool:
    owner = owner_of(row.owner)
    gone = None if owner is None else local.is_gone(owner)
    return gone is True or (gone is None and row.lease_until < now_us())
