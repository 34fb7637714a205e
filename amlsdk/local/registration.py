"""Models: registered, version by version."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.engine import Connection

from amlsdk import wire
from amlsdk.errors import Conflict
from amlsdk.local.handling import Local, handles
from amlsdk.local.lookup import check_id, check_texts, find_fileset, find_model, find_run
from amlsdk.local.model_records import check_alias, model_records, point_alias
from amlsdk.operations.models import CreateModel
from amlsdk.records.models import ModelRecord
from amlsdk.records.names import check_key, check_name, check_text
from amlsdk.service import Principal
from amlsdk.storage.catalogue import dialects
from amlsdk.storage.catalogue.schema import model, model_name, model_tag
from amlsdk.storage.catalogue.times import now_us

__all__: list[str] = []


@handles(CreateModel)
def create_model(local: Local, principal: Principal, request: CreateModel) -> ModelRecord:
    """Register the next version, or answer a repeated request with the one it registered."""
    _check(request)
    with local.database.write() as connection:
        existing = connection.execute(select(model).where(model.c.id == request.id)).first()
        if existing is None:
            _register(connection, principal, request)
        else:
            _refuse_other(existing, request)
        return model_records(connection, [find_model(connection, request.id)])[0]


def _check(request: CreateModel) -> None:
    check_id(request.id, what="model")
    check_name(request.name, what="model")
    check_key(request.format, what="format of a model")
    check_text(request.description, what="the description of a model")
    check_texts(request.tags, what="tag")
    for alias in request.aliases:
        check_alias(alias)


def _register(connection: Connection, principal: Principal, request: CreateModel) -> None:
    tree = find_fileset(connection, request.digest)
    if request.run_id is not None:
        find_run(connection, request.run_id)
    values = {
        "id": request.id,
        "name": request.name,
        "same_as": _same_content(connection, request),
        "version": _next_version(connection, request.name),
        "digest": request.digest,
        "size_bytes": tree.size_bytes,
        "format": request.format,
        "algorithm": _algorithm(request),
        "run_id": request.run_id,
        "description": request.description,
        "user": principal.name,
        "created_at": now_us(),
    }
    connection.execute(insert(model), values)
    row = find_model(connection, request.id)
    if request.tags:
        tags = [{"model_pk": row.pk, "name": name, "value": text} for name, text in request.tags.items()]
        connection.execute(insert(model_tag), tags)
    for alias in request.aliases:
        point_alias(connection, row, alias)


def _next_version(connection: Connection, name: str) -> int:
    statement = dialects.insert(connection, model_name).values(name=name, last_version=1)
    more = {"last_version": model_name.c.last_version + 1}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=more))
    version: int = connection.execute(select(model_name.c.last_version).where(model_name.c.name == name)).scalar_one()
    return version


def _same_content(connection: Connection, request: CreateModel) -> int | None:
    same = (model.c.name == request.name) & (model.c.digest == request.digest)
    version: int | None = connection.execute(select(func.min(model.c.version)).where(same)).scalar()
    return version


def _algorithm(request: CreateModel) -> str:
    # As it travels, so that it comes back the same from a folder as from a service.
    return wire.to_json(dict(request.algorithm)).decode()


def _refuse_other(row: Any, request: CreateModel) -> None:
    """Refuse the id of another version; description, tags and aliases may have changed since."""
    same = (row.name, row.digest, row.format, row.run_id, row.algorithm)
    if same != (request.name, request.digest, request.format, request.run_id, _algorithm(request)):
        raise Conflict(f"model {row.id} exists already with other fields: it is {row.name!r} version {row.version}")
