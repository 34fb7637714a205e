"""Registered models: listed, changed, deleted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, delete, func, select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict
from amlsdk.local.handling import Local, handles
from amlsdk.local.lookup import check_texts, find_model
from amlsdk.local.model_records import check_alias, model_records, point_alias
from amlsdk.local.pages import page_of
from amlsdk.local.versions import check_version
from amlsdk.operations.models import DeleteModel, GetModel, ListModels, SetModelAlias, UpdateModel
from amlsdk.records.models import ModelRecord
from amlsdk.records.names import check_text, listed
from amlsdk.records.pages import Ack, Page
from amlsdk.service import Principal
from amlsdk.storage.catalogue.dialects import insert
from amlsdk.storage.catalogue.schema import manifest, manifest_model, model, model_alias, model_tag

__all__: list[str] = []

_NAMED = 9


@handles(GetModel)
def get_model(local: Local, _: Principal, request: GetModel) -> ModelRecord:
    """Read a version."""
    with local.database.read() as connection:
        return _read(connection, request.model_id)


@handles(ListModels)
def list_models(local: Local, _: Principal, request: ListModels) -> Page[ModelRecord]:
    """List versions by name, newest first."""
    with local.database.read() as connection:
        keys = [model.c.name, -model.c.version]
        return page_of(connection, _chosen(request), keys, request, lambda rows: model_records(connection, rows))


@handles(UpdateModel)
def update_model(local: Local, _: Principal, request: UpdateModel) -> ModelRecord:
    """Change what is given."""
    check_texts(request.tags, what="tag")
    check_text(request.description or "", what="the description of a model")
    with local.database.write() as connection:
        row = find_model(connection, request.model_id)
        if request.description is not None:
            connection.execute(update(model).where(model.c.pk == row.pk).values(description=request.description))
        for name, text in request.tags.items():
            _set_tag(connection, row.pk, name, text)
        return _read(connection, request.model_id)


@handles(SetModelAlias)
def set_model_alias(local: Local, _: Principal, request: SetModelAlias) -> ModelRecord:
    """Let an alias point at a version, or take it away from it."""
    check_alias(request.alias)
    with local.database.write() as connection:
        row = find_model(connection, request.model_id)
        if request.remove:
            here = and_(model_alias.c.alias == request.alias, model_alias.c.model_pk == row.pk)
            connection.execute(delete(model_alias).where(here))
        else:
            point_alias(connection, row, request.alias)
        return _read(connection, request.model_id)


@handles(DeleteModel)
def delete_model(local: Local, _: Principal, request: DeleteModel) -> Ack:
    """Delete a version; its number is not given again."""
    with local.database.write() as connection:
        joined = manifest.join(manifest_model).join(model, manifest_model.c.model_pk == model.c.pk)
        holding = select(manifest.c.name, manifest.c.version).select_from(joined)
        rows = connection.execute(holding.where(model.c.id == request.model_id).limit(_NAMED)).all()
        if rows:
            names = listed((f"{name} version {version}" for name, version in rows), most=_NAMED - 1)
            raise Conflict(
                f"model {request.model_id} can't be deleted: manifests hold it (delete those first): {names}"
            )
        connection.execute(delete(model).where(model.c.id == request.model_id))
    return Ack()


def _read(connection: Connection, model_id: str) -> ModelRecord:
    return model_records(connection, [find_model(connection, model_id)])[0]


def _chosen(request: ListModels) -> Select[Any]:
    check_version(request.version, what="models")
    wanted = {"name": request.name, "version": request.version, "run_id": request.run_id, "digest": request.digest}
    statement = select(model).where(*[model.c[name] == value for name, value in wanted.items() if value is not None])
    if request.alias is not None:
        aliased = select(model_alias.c.model_pk).where(model_alias.c.alias == request.alias)
        statement = statement.where(model.c.pk.in_(aliased))
    if request.latest:
        other = model.alias()
        newest = select(func.max(other.c.version)).where(other.c.name == model.c.name).scalar_subquery()
        statement = statement.where(model.c.version == newest)
    return statement


def _set_tag(connection: Connection, model_pk: int, name: str, text: str | None) -> None:
    if text is None:
        here = and_(model_tag.c.model_pk == model_pk, model_tag.c.name == name)
        connection.execute(delete(model_tag).where(here))
        return
    statement = insert(connection, model_tag).values(model_pk=model_pk, name=name, value=text)
    connection.execute(statement.on_conflict_do_update(index_elements=["model_pk", "name"], set_={"value": text}))
