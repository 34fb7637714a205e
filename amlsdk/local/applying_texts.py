"""Params and tags from a journal: the one with the latest time stays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from sqlalchemy import Table, and_, bindparam, delete

from amlsdk.journal.entries import Entry
from amlsdk.local.applying import Application
from amlsdk.local.numbers import number_of
from amlsdk.records.names import check_key, check_text
from amlsdk.storage.catalogue.schema import param, tag
from amlsdk.storage.catalogue.upserting import upsert

__all__ = ["apply_params", "apply_tags"]

# Name, time and text; no text where the tag was removed.
_Said: TypeAlias = "tuple[str, int, str | None]"


def apply_params(to: Application, entries: Iterable[Entry]) -> None:
    """Keep params."""
    _keep(to, param, _latest(to.understood(entries, _param)))


def apply_tags(to: Application, entries: Iterable[Entry]) -> None:
    """Keep tags, and remove those that were taken away."""
    said = _latest(to.understood(entries, _tag))
    _keep(to, tag, [one for one in said if one[2] is not None])
    _remove(to, [one for one in said if one[2] is None])


def _param(entry: Entry) -> _Said:
    name = check_key(entry.data["n"], what="param")
    return name, entry.time_us, check_text(entry.data["x"], what=f"param {name!r}")


def _tag(entry: Entry) -> _Said:
    name, text = check_key(entry.data["n"], what="tag"), entry.data["x"]
    return name, entry.time_us, None if text is None else check_text(text, what=f"tag {name!r}")


def _latest(said: Iterable[_Said]) -> list[_Said]:
    latest: dict[str, _Said] = {}
    for one in said:
        if one[0] not in latest or latest[one[0]][1] <= one[1]:
            latest[one[0]] = one
    return list(latest.values())


def _keep(to: Application, table: Table, said: list[_Said]) -> None:
    if not said:
        return
    whose = {"run_pk": to.run.pk, "experiment_id": to.run.experiment_id}
    rows = [{"name": name, "time": time, "value": text, "number": number_of(text or "")} for name, time, text in said]
    to.connection.execute(upsert(to.connection, table, latest=True), [{**whose, **row} for row in rows])


def _remove(to: Application, said: list[_Said]) -> None:
    if not said:
        return
    same = and_(tag.c.run_pk == bindparam("run"), tag.c.name == bindparam("tag"), tag.c.time <= bindparam("at"))
    rows = [{"run": to.run.pk, "tag": name, "at": time} for name, time, _ in said]
    to.connection.execute(delete(tag).where(same), rows)
