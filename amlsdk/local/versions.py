"""Numbers of versions, and records in columns of JSON."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from sqlalchemy import select
from sqlalchemy.engine import Connection

from amlsdk import wire
from amlsdk.errors import InvalidArgument
from amlsdk.records.converting import CONVERTER
from amlsdk.storage.catalogue.dialects import insert
from amlsdk.storage.catalogue.schema import asset_name

__all__ = ["check_version", "from_json", "next_version", "to_json"]

T = TypeVar("T")
_INT64 = 1 << 63


def next_version(connection: Connection, kind: str, name: str) -> int:
    """Return the next number of a name, from 1; numbers of what was deleted are not given again."""
    statement = insert(connection, asset_name).values(kind=kind, name=name, last_version=1)
    more = {"last_version": asset_name.c.last_version + 1}
    connection.execute(statement.on_conflict_do_update(index_elements=["kind", "name"], set_=more))
    here = (asset_name.c.kind == kind) & (asset_name.c.name == name)
    version: int = connection.execute(select(asset_name.c.last_version).where(here)).scalar_one()
    return version


def check_version(version: int | None, *, what: str) -> None:
    """See that a number can be one of a version.

    Raises:
        InvalidArgument: It is not.
    """
    if version is not None and not 0 < version < _INT64:
        raise InvalidArgument(f"versions of {what} count from 1; there is no version {version}")


def to_json(value: Any) -> str:
    """Return records, sequences and mappings of them as the text of a column."""
    return wire.to_json(value).decode()


def from_json(text: str, kind: type[T]) -> T:
    """Return what `to_json` made of a value of some type."""
    return CONVERTER.structure(orjson.loads(text), kind)
