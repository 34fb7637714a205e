"""Records of models from their rows, and their aliases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from amlsdk.errors import InvalidArgument
from amlsdk.records.models import ModelRecord
from amlsdk.records.names import check_name
from amlsdk.storage.catalogue.dialects import insert
from amlsdk.storage.catalogue.schema import model_alias, model_tag
from amlsdk.storage.catalogue.times import from_us

__all__ = ["check_alias", "model_records", "point_alias"]

# The keys are numbers of the catalogue's own: written into the statement they meet no limit on parameters.
_KEYS: Any = bindparam("keys", expanding=True, literal_execute=True)
_TAGS = select(model_tag.c.model_pk, model_tag.c.name, model_tag.c.value).where(model_tag.c.model_pk.in_(_KEYS))
_ALIASES = select(model_alias.c.model_pk, model_alias.c.alias).where(model_alias.c.model_pk.in_(_KEYS))


def check_alias(alias: str) -> str:
    """Return a name that may point at versions.

    Raises:
        InvalidArgument: It is no name, or one that means a version already.
    """
    check_name(alias, what="version of a model")
    if alias.lower() == "latest" or alias.isdigit():
        raise InvalidArgument(f"{alias!r} can't be an alias: 'latest' and numbers mean versions already")
    return alias


def point_alias(connection: Connection, row: Any, alias: str) -> None:
    """Let an alias of a model's name point at a version, away from any other."""
    statement = insert(connection, model_alias).values(name=row.name, alias=alias, model_pk=row.pk)
    moved = statement.on_conflict_do_update(index_elements=["name", "alias"], set_={"model_pk": row.pk})
    connection.execute(moved)


def model_records(connection: Connection, rows: Sequence[Any]) -> list[ModelRecord]:
    """Return the records of versions, in the order of their rows."""
    keys = {"keys": [row.pk for row in rows]}
    tags: dict[int, dict[str, str]] = defaultdict(dict)
    aliases: dict[int, list[str]] = defaultdict(list)
    if rows:
        for key, name, value in connection.execute(_TAGS, keys):
            tags[key][name] = value
        for key, alias in connection.execute(_ALIASES, keys):
            aliases[key].append(alias)
    return [_record(row, tags.get(row.pk, {}), tuple(sorted(aliases.get(row.pk, ())))) for row in rows]


def _record(row: Any, tags: dict[str, str], aliases: tuple[str, ...]) -> ModelRecord:
    return ModelRecord(
        id=row.id,
        name=row.name,
        version=row.version,
        digest=row.digest,
        size_bytes=row.size_bytes,
        format=row.format,
        algorithm=orjson.loads(row.algorithm),
        run_id=row.run_id,
        description=row.description,
        tags=tags,
        aliases=aliases,
        user=row.user,
        created_at=from_us(row.created_at),
        same_as=row.same_as,
    )
