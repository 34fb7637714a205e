"""Images: recorded, built by their owner, listed, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.local.handling import Local, handles
from amlsdk.local.leases import LEASE_S, lease_end, owner_text, refuse_others, shown
from amlsdk.local.lookup import check_id, find_fileset, find_image, find_manifest
from amlsdk.local.pages import page_of
from amlsdk.local.printed import append_printed, check_read, read_printed
from amlsdk.local.settling_images import settle_images
from amlsdk.local.versions import check_version, from_json, next_version, to_json
from amlsdk.local.waiting import wait_for
from amlsdk.operations.images import (
    AppendImageLog,
    CancelImage,
    CreateImage,
    DeleteImage,
    EndImage,
    GetImage,
    HeartbeatImage,
    ListImages,
    ReadImageLog,
)
from amlsdk.records.images import BUILT, ImageRecord, ImageStatus, LayerRecord
from amlsdk.records.jobs import LeaseRecord, OutputPosition
from amlsdk.records.names import MAX_TEXT, check_key, check_name, check_text, listed
from amlsdk.records.pages import Ack, Page
from amlsdk.records.streams import ByteStream
from amlsdk.service import Principal
from amlsdk.storage.catalogue.runs import owner_of
from amlsdk.storage.catalogue.schema import deployment, deployment_served, image, manifest
from amlsdk.storage.catalogue.times import from_us, now_us
from amlsdk.storage.outputs.base import log_key

__all__: list[str] = []

_NAMED = 9


@handles(CreateImage)
def create_image(local: Local, principal: Principal, request: CreateImage) -> ImageRecord:
    """Record the next version, or answer a repeated request with the one it recorded."""
    check_id(request.id, what="image")
    check_name(request.name, what="image")
    check_key(request.builder, what="builder")
    check_text(request.base, what="the base of an image")
    with local.database.write() as connection:
        existing = connection.execute(select(image).where(image.c.id == request.id)).first()
        if existing is None:
            _record(connection, principal, request)
        elif (existing.name, existing.owner) != (request.name, owner_text(request.owner)):
            what = f"it is {existing.name!r} version {existing.version}"
            raise Conflict(f"image {request.id} exists already with other fields: {what}")
        return _read(connection, request.id)


@handles(GetImage)
def get_image(local: Local, _: Principal, request: GetImage) -> ImageRecord:
    """Read a version, waiting for the end of its build."""

    def ended() -> ImageRecord | None:
        record = _settled(local, request.image_id)
        return record if record.status in BUILT else None

    return wait_for(ended, request.wait_s) or _settled(local, request.image_id)


@handles(ListImages)
def list_images(local: Local, _: Principal, request: ListImages) -> Page[ImageRecord]:
    """List versions by name, newest first."""
    settle_images(local)
    with local.database.read() as connection:
        keys = [image.c.name, -image.c.version]
        return page_of(connection, _chosen(request), keys, request, lambda rows: _records(connection, rows))


@handles(HeartbeatImage)
def heartbeat_image(local: Local, _: Principal, request: HeartbeatImage) -> LeaseRecord:
    """Note the step, renew the lease, and say whether somebody asked to cancel."""
    check_text(request.step, what="the step of a build")
    with local.database.write() as connection:
        row = _going_on(connection, request)
        values = {"step": request.step or row.step, "lease_until": lease_end()}
        connection.execute(update(image).where(image.c.pk == row.pk).values(values))
        return LeaseRecord(cancel_requested=row.cancel_requested, lease_s=LEASE_S)


@handles(EndImage)
def end_image(local: Local, _: Principal, request: EndImage) -> ImageRecord:
    """Enter the end of a build, once."""
    if request.status not in BUILT:
        raise InvalidArgument(f"a build ends as {', '.join(sorted(BUILT))}, not as {request.status!r}")
    if request.status == ImageStatus.COMPLETED and None in (request.digest, request.files):
        raise InvalidArgument("a Completed image has a digest and files")
    with local.database.write() as connection:
        row = find_image(connection, request.image_id)
        if row.status == request.status and row.digest == request.digest and row.owner == owner_text(request.owner):
            return _read(connection, request.image_id)
        row = _going_on(connection, request)
        connection.execute(update(image).where(image.c.pk == row.pk).values(_end(connection, request)))
        return _read(connection, request.image_id)


@handles(CancelImage)
def cancel_image(local: Local, _: Principal, request: CancelImage) -> ImageRecord:
    """Ask the owner to end the build."""
    settle_images(local)
    with local.database.write() as connection:
        row = find_image(connection, request.image_id)
        if row.status not in BUILT:
            values = {"cancel_requested": True, "status": ImageStatus.CANCEL_REQUESTED}
            connection.execute(update(image).where(image.c.pk == row.pk).values(values))
        return _read(connection, request.image_id)


@handles(DeleteImage)
def delete_image(local: Local, _: Principal, request: DeleteImage) -> Ack:
    """Delete a version that no deployment needs; its number is not given again."""
    settle_images(local)
    with local.database.write() as connection:
        row = connection.execute(select(image).where(image.c.id == request.image_id)).first()
        if row is None:
            return Ack()
        _refuse_if_needed(connection, row)
        connection.execute(delete(deployment_served).where(deployment_served.c.image_pk == row.pk))
        connection.execute(delete(image).where(image.c.pk == row.pk))
    local.outputs.delete(log_key(row.id))
    return Ack()


@handles(AppendImageLog)
def append_image_log(local: Local, _: Principal, request: AppendImageLog) -> OutputPosition:
    """Append to a build log after what is there."""
    with local.database.read() as connection:
        key = log_key(find_image(connection, request.image_id).id)
    return append_printed(local, key, request)


@handles(ReadImageLog)
def read_image_log(local: Local, _: Principal, request: ReadImageLog) -> ByteStream:
    """Read a build log from a byte on, waiting while there is none and the build goes on."""
    check_read(request)
    key = log_key(_settled(local, request.image_id).id)
    return read_printed(local, key, request, is_over=lambda: _settled(local, request.image_id).status in BUILT)


def _settled(local: Local, image_id: str) -> ImageRecord:
    settle_images(local)
    with local.database.read() as connection:
        return _read(connection, image_id)


def _going_on(connection: Connection, request: HeartbeatImage | EndImage) -> Any:
    row = find_image(connection, request.image_id)
    refuse_others(row, request.owner, what="image")
    if row.status in BUILT:
        raise Conflict(f"the build of image {row.id} has ended as {row.status}")
    return row


def _record(connection: Connection, principal: Principal, request: CreateImage) -> None:
    values = {
        "id": request.id,
        "name": request.name,
        "version": next_version(connection, "image", request.name),
        "manifest_pk": find_manifest(connection, request.manifest_id).pk,
        "builder": request.builder,
        "base": request.base,
        "status": ImageStatus.BUILDING,
        "step": "",
        "size_bytes": 0,
        "unpacked_bytes": 0,
        "layers": "[]",
        "platform": "",
        "python": "",
        "user": principal.name,
        "created_at": now_us(),
        "owner": owner_text(request.owner),
        "lease_until": lease_end(),
        "cancel_requested": False,
    }
    connection.execute(insert(image), values)


def _end(connection: Connection, request: EndImage) -> dict[str, Any]:
    size = 0 if request.files is None else find_fileset(connection, request.files).size_bytes
    return {
        "status": request.status,
        "error": None if request.error is None else check_text(request.error[:MAX_TEXT], what="the reason"),
        "digest": request.digest,
        "files": request.files,
        "size_bytes": size,
        "unpacked_bytes": sum(layer.unpacked_bytes for layer in request.layers),
        "layers": to_json(request.layers),
        "platform": request.platform,
        "python": request.python,
        "ended_at": now_us(),
    }


def _refuse_if_needed(connection: Connection, row: Any) -> None:
    if row.status not in BUILT:
        raise Conflict(f"image {row.id} is being built by {shown(row.owner)}: cancel it or wait for its end")
    needed = (deployment.c.image_pk == row.pk) | (deployment.c.serving_pk == row.pk)
    names = list(connection.execute(select(deployment.c.name).where(needed).limit(_NAMED)).scalars())
    if names:
        shown_names = listed(names, most=_NAMED - 1)
        raise Conflict(f"image {row.id} can't be deleted: deployments need it (delete those first): {shown_names}")


def _read(connection: Connection, image_id: str) -> ImageRecord:
    return _records(connection, [find_image(connection, image_id)])[0]


def _records(connection: Connection, rows: Sequence[Any]) -> list[ImageRecord]:
    keys = {row.manifest_pk for row in rows}
    found = connection.execute(select(manifest.c.pk, manifest.c.id).where(manifest.c.pk.in_(keys)))
    manifests = {key: manifest_id for key, manifest_id in found}  # noqa: C416  # rows, not pairs
    return [_made(row, manifests[row.manifest_pk]) for row in rows]


def _made(row: Any, manifest_id: str) -> ImageRecord:
    own = {field.name for field in attrs.fields(ImageRecord)} & set(row._fields)
    other = {
        "manifest_id": manifest_id,
        "created_at": from_us(row.created_at),
        "ended_at": None if row.ended_at is None else from_us(row.ended_at),
        "layers": from_json(row.layers, tuple[LayerRecord, ...]),
        "owner": owner_of(row.owner),
    }
    return ImageRecord(**{name: getattr(row, name) for name in own} | other)


def _chosen(request: ListImages) -> Select[Any]:
    check_version(request.version, what="images")
    wanted = {"name": request.name, "version": request.version, "status": request.status}
    statement = select(image).where(*[image.c[name] == value for name, value in wanted.items() if value is not None])
    if request.manifest_id is not None:
        made_of = select(manifest.c.pk).where(manifest.c.id == request.manifest_id)
        statement = statement.where(image.c.manifest_pk.in_(made_of))
    if request.latest:
        other = image.alias()
        newest = select(func.max(other.c.version)).where(other.c.name == image.c.name).scalar_subquery()
        statement = statement.where(image.c.version == newest)
    return statement
