"""Manifests: recorded, listed, deleted."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Select, delete, func, insert, select
from sqlalchemy.engine import Connection

from amlsdk import wire
from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.local.handling import Local, handles
from amlsdk.local.lookup import check_id, find_fileset, find_manifest, find_model
from amlsdk.local.pages import page_of
from amlsdk.local.versions import check_version, from_json, next_version, to_json
from amlsdk.operations.manifests import CreateManifest, DeleteManifest, GetManifest, ListManifests
from amlsdk.records.manifests import Dependency, ManifestModel, ManifestRecord
from amlsdk.records.names import check_key, check_name, check_text, listed
from amlsdk.records.pages import Ack, Page
from amlsdk.service import Principal
from amlsdk.storage.catalogue.schema import image, manifest, manifest_model, model
from amlsdk.storage.catalogue.times import from_us, now_us

__all__ = ["manifest_records"]

_NAMED = 9


@handles(CreateManifest)
def create_manifest(local: Local, principal: Principal, request: CreateManifest) -> ManifestRecord:
    """Record the next version, or answer a repeated request with the one it recorded."""
    _check(request)
    with local.database.write() as connection:
        models = [find_model(connection, model_id) for model_id in request.model_ids]
        digest = _digest(request, models)
        existing = connection.execute(select(manifest).where(manifest.c.id == request.id)).first()
        if existing is None:
            _record(connection, principal, request, models, digest)
        elif (existing.name, existing.digest) != (request.name, digest):
            what = f"it is {existing.name!r} version {existing.version}"
            raise Conflict(f"manifest {request.id} exists already with other fields: {what}")
        return _read(connection, request.id)


@handles(GetManifest)
def get_manifest(local: Local, _: Principal, request: GetManifest) -> ManifestRecord:
    """Read a version."""
    with local.database.read() as connection:
        return _read(connection, request.manifest_id)


@handles(ListManifests)
def list_manifests(local: Local, _: Principal, request: ListManifests) -> Page[ManifestRecord]:
    """List versions by name, newest first."""
    with local.database.read() as connection:
        keys = [manifest.c.name, -manifest.c.version]
        return page_of(connection, _chosen(request), keys, request, lambda rows: manifest_records(connection, rows))


@handles(DeleteManifest)
def delete_manifest(local: Local, _: Principal, request: DeleteManifest) -> Ack:
    """Delete a version that no image was made of; its number is not given again."""
    with local.database.write() as connection:
        images = select(image.c.name, image.c.version).join(manifest).where(manifest.c.id == request.manifest_id)
        rows = connection.execute(images.order_by(image.c.pk).limit(_NAMED)).all()
        if rows:
            names = listed((f"{name} version {version}" for name, version in rows), most=_NAMED - 1)
            raise Conflict(
                f"manifest {request.manifest_id} can't be deleted: images were made of it (delete those first): {names}"
            )
        connection.execute(delete(manifest).where(manifest.c.id == request.manifest_id))
    return Ack()


def manifest_records(connection: Connection, rows: Sequence[Any]) -> list[ManifestRecord]:
    """Return the records of versions, in the order of their rows."""
    models: dict[int, list[ManifestModel]] = defaultdict(list)
    for key, *fields in connection.execute(_models_of([row.pk for row in rows])):
        names = ("id", "name", "version", "digest", "format")
        models[key].append(ManifestModel(**dict(zip(names, fields, strict=True))))
    return [_made(row, tuple(models[row.pk])) for row in rows]


def _models_of(keys: Sequence[int]) -> Select[Any]:
    columns = (model.c.id, model.c.name, model.c.version, model.c.digest, model.c.format)
    joined = select(manifest_model.c.manifest_pk, *columns).join(model)
    chosen = joined.where(manifest_model.c.manifest_pk.in_(keys))
    return chosen.order_by(manifest_model.c.manifest_pk, manifest_model.c.position)


def _made(row: Any, models: tuple[ManifestModel, ...]) -> ManifestRecord:
    return ManifestRecord(
        id=row.id,
        name=row.name,
        version=row.version,
        digest=row.digest,
        models=models,
        files=row.files,
        script=row.script,
        python=row.python,
        platform=row.platform,
        user=row.user,
        created_at=from_us(row.created_at),
        dependencies=from_json(row.dependencies, tuple[Dependency, ...]),
        unsafe=from_json(row.unsafe, tuple[str, ...]),
        notes=from_json(row.notes, tuple[str, ...]),
        description=row.description,
        same_as=row.same_as,
    )


def _check(request: CreateManifest) -> None:
    check_id(request.id, what="manifest")
    check_name(request.name, what="manifest")
    check_key(request.script, what="scoring script")
    check_text(request.description, what="the description of a manifest")
    if not request.model_ids:
        raise InvalidArgument("a manifest holds at least one model; model_ids is empty")


def _digest(request: CreateManifest, models: Sequence[Any]) -> str:
    """Return a digest of all that makes a difference to an image."""
    names = [row.name for row in models]
    if len(set(names)) < len(names):
        raise InvalidArgument(
            f"a manifest holds one version of a model; {', '.join(sorted(names))} has one of them twice"
        )
    content = {
        "dependencies": orjson.loads(to_json(request.dependencies)),
        "files": request.files,
        "models": [[row.name, row.digest, row.format] for row in models],
        "platform": request.platform,
        "python": request.python,
        "script": request.script,
    }
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _record(
    connection: Connection, principal: Principal, request: CreateManifest, models: Sequence[Any], digest: str
) -> None:
    for fileset_digest in (request.files, *(dependency.files for dependency in request.dependencies)):
        find_fileset(connection, fileset_digest)
    same = (manifest.c.name == request.name) & (manifest.c.digest == digest)
    values = {
        "same_as": connection.execute(select(func.min(manifest.c.version)).where(same)).scalar(),
        "id": request.id,
        "name": request.name,
        "version": next_version(connection, "manifest", request.name),
        "digest": digest,
        "files": request.files,
        "script": request.script,
        "python": request.python,
        "platform": request.platform,
        "dependencies": to_json(request.dependencies),
        "unsafe": wire.to_json(list(request.unsafe)).decode(),
        "notes": wire.to_json(list(request.notes)).decode(),
        "description": request.description,
        "user": principal.name,
        "created_at": now_us(),
    }
    connection.execute(insert(manifest), values)
    key = find_manifest(connection, request.id).pk
    rows = [{"manifest_pk": key, "position": number, "model_pk": row.pk} for number, row in enumerate(models)]
    connection.execute(insert(manifest_model), rows)


def _read(connection: Connection, manifest_id: str) -> ManifestRecord:
    return manifest_records(connection, [find_manifest(connection, manifest_id)])[0]


def _chosen(request: ListManifests) -> Select[Any]:
    check_version(request.version, what="manifests")
    statement = select(manifest)
    if request.name is not None:
        statement = statement.where(manifest.c.name == request.name)
    if request.version is not None:
        statement = statement.where(manifest.c.version == request.version)
    if request.model_id is not None:
        holding = select(manifest_model.c.manifest_pk).join(model).where(model.c.id == request.model_id)
        statement = statement.where(manifest.c.pk.in_(holding))
    if request.latest:
        other = manifest.alias()
        newest = select(func.max(other.c.version)).where(other.c.name == manifest.c.name).scalar_subquery()
        statement = statement.where(manifest.c.version == newest)
    return statement
