"""Rows, files, inputs, context and notes from a journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from sqlalchemy import bindparam, select

from amlsdk.errors import InvalidArgument
from amlsdk.filesets.paths import check_path
from amlsdk.journal.entries import Entry
from amlsdk.local.applying import INT64, Application
from amlsdk.operations.checks import check
from amlsdk.records.logged import run_of_source
from amlsdk.records.names import check_key, check_text
from amlsdk.storage.blobs.base import check_digest
from amlsdk.storage.catalogue.schema import run_context, run_file, run_input, run_row
from amlsdk.storage.catalogue.times import from_us
from amlsdk.storage.catalogue.upserting import upsert

__all__ = ["apply_context", "apply_files", "apply_inputs", "apply_notes", "apply_rows"]

# Built once: making a statement takes longer than executing it.
_CONTEXT = select(run_context.c.topic, run_context.c.value).where(run_context.c.run_pk == bindparam("key"))
_MODES = ("file", "executable", "link")


def apply_rows(to: Application, entries: Iterable[Entry]) -> None:
    """Keep rows of tables."""
    rows = to.understood(entries, _row)
    if rows:
        to.connection.execute(
            upsert(to.connection, run_row), [{"run_pk": to.run.pk, "writer": to.writer, **row} for row in rows]
        )


def apply_files(to: Application, entries: Iterable[Entry]) -> None:
    """Keep which files the run keeps; of one path, the latest."""
    rows = to.understood(entries, _file)
    if rows:
        to.connection.execute(
            upsert(to.connection, run_file, latest=True), [{"run_pk": to.run.pk, **row} for row in rows]
        )


def apply_inputs(to: Application, entries: Iterable[Entry]) -> None:
    """Keep which data the run read; of one name, the last."""
    rows = to.understood(entries, _input)
    if rows:
        to.connection.execute(upsert(to.connection, run_input), [{"run_pk": to.run.pk, **row} for row in rows])


def apply_context(to: Application, entries: Iterable[Entry]) -> None:
    """Keep what surrounded the run; objects of one topic are merged, other values replaced."""
    found = to.understood(entries, _values)
    topics = _kept_topics(to, {topic for said in found for topic in said})
    for said in found:
        for topic, value in said.items():
            topics[topic] = _merged(topics.get(topic), value)
    _keep_topics(to, topics)


def apply_notes(to: Application, entries: Iterable[Entry]) -> None:
    """Append notes to the topic `notes`, each with its time and text."""
    found = to.understood(entries, _note)
    if found:
        kept = _kept_topics(to, {"notes"}).get("notes", [])
        _keep_topics(to, {"notes": [*kept, *found] if isinstance(kept, list) else found})


def _row(entry: Entry) -> dict[str, Any]:
    values = orjson.dumps(_values(entry)).decode()
    name = check_key(entry.data["n"], what="table")
    return {"name": name, "time": entry.time_us, "offset": entry.offset, "values": values}


def _file(entry: Entry) -> dict[str, Any]:
    said = _object(entry)
    mode = said.get("mode", "file")
    if mode not in _MODES:
        raise InvalidArgument(f"the mode of a file is one of {', '.join(_MODES)}, not {mode!r:.40}")
    return {
        "path": check_path(check_text(said["path"], what="a path")),
        "kind": check_text(said["kind"], what="the kind of a file"),
        "digest": check_digest(said["digest"]),
        "size_bytes": _size(said),
        "mode": mode,
        "time": entry.time_us,
    }


def _input(entry: Entry) -> dict[str, Any]:
    said = _object(entry)
    source = check_text(said["source"], what="the source of an input")
    return {
        "name": check_key(said["name"], what="input"),
        "digest": check_digest(said["digest"]),
        "kind": check_text(said["kind"], what="the kind of an input"),
        "source": source,
        "source_run_id": run_of_source(source),
        "size_bytes": _size(said),
        "schema": _json(said.get("schema")),
        "profile": _json(said.get("profile")),
    }


def _values(entry: Entry) -> Mapping[str, Any]:
    said = _object(entry)
    # What is nested too deep to be kept, or to travel, is found here, where it blocks no other line.
    check(said, Mapping[str, Any], at="an object")
    return said


def _note(entry: Entry) -> dict[str, str]:
    text = check_text(entry.data["x"], what="a note")
    return {"at": from_us(entry.time_us).isoformat().replace("+00:00", "Z"), "text": text}


def _object(entry: Entry) -> Mapping[str, Any]:
    said = entry.data["x"]
    if not isinstance(said, Mapping):
        raise InvalidArgument(f"an object is expected, not {type(said).__name__}")
    return said


def _size(said: Mapping[str, Any]) -> int:
    size = said.get("size_bytes", 0)
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < INT64:
        raise InvalidArgument(f"size_bytes is a whole number of bytes, not {size!r:.40}")
    return size


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _kept_topics(to: Application, topics: Iterable[str]) -> dict[str, Any]:
    rows = to.connection.execute(_CONTEXT, {"key": to.run.pk})
    wanted = set(topics)
    return {topic: orjson.loads(value) for topic, value in rows if topic in wanted}


def _keep_topics(to: Application, topics: Mapping[str, Any]) -> None:
    if topics:
        rows = [{"topic": topic, "value": orjson.dumps(value).decode()} for topic, value in topics.items()]
        to.connection.execute(upsert(to.connection, run_context), [{"run_pk": to.run.pk, **row} for row in rows])


def _merged(kept: Any, new: Any) -> Any:
    return {**kept, **new} if isinstance(kept, Mapping) and isinstance(new, Mapping) else new
