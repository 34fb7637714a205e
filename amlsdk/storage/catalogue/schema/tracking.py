"""The one schema of the catalogue, for every database.

Times are whole microseconds since 1970 UTC. JSON is text, written and read by the handlers. A metric's `last`,
`min` and `max` are NULL where the value is NaN, which SQLite can't store. The experiment stands again in metric,
param and tag so that one index serves the search of an experiment by each of them.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from amlsdk.storage.catalogue.schema.base import metadata
from amlsdk.storage.catalogue.types import Number, Text, Whole

__all__ = [
    "experiment",
    "fileset",
    "journal",
    "journal_fault",
    "metric",
    "model",
    "model_alias",
    "model_name",
    "model_tag",
    "param",
    "project",
    "run",
    "run_context",
    "run_file",
    "run_input",
    "run_row",
    "run_state",
    "run_summary",
    "series_chunk",
    "tag",
    "workspace",
]


def _run_key() -> Column[int]:
    return Column("run_pk", Number, ForeignKey("run.pk", ondelete="CASCADE"), nullable=False)


workspace = Table(
    "workspace",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("slots", Whole, nullable=False),
)

project = Table(
    "project",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("folder", Text),
    Column("description", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_run_number", Whole, nullable=False),
    Column("remote", Text),
    Column("branch", Text),
    Column("head", Text),
    Column("published_at", BigInteger),
)

experiment = Table(
    "experiment",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("project.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("project_id", "name"),
)

run = Table(
    "run",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("number", Whole, nullable=False),
    Column("name", Text, nullable=False),
    Column("project_id", Text, ForeignKey("project.id", ondelete="CASCADE"), nullable=False),
    Column("experiment_id", Text, ForeignKey("experiment.id", ondelete="CASCADE"), nullable=False),
    Column("parent_id", Text),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("user", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("target", Text),
    Column("job", Text),
    Column("exit_code", Whole),
    Column("owner", Text),
    Column("lease_until", BigInteger),
    Column("cancel_requested", Boolean, nullable=False),
    # What the run's journal says of its end; the catalogue's status is decided by its owner or the handlers.
    Column("claimed_status", Text),
    Column("claimed_error", Text),
    Index(None, "experiment_id", "pk"),
    Index(None, "experiment_id", "status", "pk"),
    Index(None, "experiment_id", "started_at"),
    Index(None, "experiment_id", "name"),
    Index(None, "project_id", "pk"),
    Index(None, "parent_id"),
    Index(None, "status", "target", "pk"),
)

run_state = Table(
    "run_state",
    metadata,
    _run_key(),
    Column("number", Whole, nullable=False),
    Column("status", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text),
    PrimaryKeyConstraint("run_pk", "number"),
)

metric = Table(
    "metric",
    metadata,
    _run_key(),
    Column("name", Text, nullable=False),
    Column("experiment_id", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("last", Float(53)),
    Column("min", Float(53)),
    Column("max", Float(53)),
    # The order of points: (step, time, writer, offset).
    Column("last_step", BigInteger, nullable=False),
    Column("last_time", BigInteger, nullable=False),
    Column("last_writer", Text, nullable=False),
    Column("last_offset", BigInteger, nullable=False),
    PrimaryKeyConstraint("run_pk", "name"),
    Index(None, "experiment_id", "name", "last", "run_pk"),
    Index(None, "name", "last", "run_pk"),
    sqlite_with_rowid=False,
)

# What the tables metric, param and tag say of a run, in one row: a page of a search reads a row a run instead of one
# a metric. Whatever writes to the three refreshes it in the same transaction (`summaries.refresh`).
run_summary = Table(
    "run_summary",
    metadata,
    Column("run_pk", Number, ForeignKey("run.pk", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("texts", Text, nullable=False),
    Column("numbers", LargeBinary, nullable=False),
)

series_chunk = Table(
    "series_chunk",
    metadata,
    _run_key(),
    Column("name", Text, nullable=False),
    Column("writer", Text, nullable=False),
    Column("first_offset", BigInteger, nullable=False),
    Column("count", Whole, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("run_pk", "name", "writer", "first_offset"),
)


def _text_by_name(name: str) -> Table:
    return Table(
        name,
        metadata,
        _run_key(),
        Column("name", Text, nullable=False),
        Column("experiment_id", Text, nullable=False),
        Column("value", Text, nullable=False),
        # The value as a number, where it reads as one, so that `params.depth < 10` compares numbers.
        Column("number", Float(53)),
        Column("time", BigInteger, nullable=False),
        PrimaryKeyConstraint("run_pk", "name"),
        Index(None, "experiment_id", "name", "value", "run_pk"),
        Index(None, "experiment_id", "name", "number", "run_pk"),
        Index(None, "name", "value", "run_pk"),
        Index(None, "name", "number", "run_pk"),
        sqlite_with_rowid=False,
    )


param = _text_by_name("param")
tag = _text_by_name("tag")

run_row = Table(
    "run_row",
    metadata,
    _run_key(),
    Column("name", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("writer", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("values", Text, nullable=False),
    PrimaryKeyConstraint("run_pk", "name", "time", "writer", "offset"),
)

run_file = Table(
    "run_file",
    metadata,
    _run_key(),
    Column("path", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("mode", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    PrimaryKeyConstraint("run_pk", "path"),
)

run_input = Table(
    "run_input",
    metadata,
    _run_key(),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("source_run_id", Text),
    Column("size_bytes", BigInteger, nullable=False),
    Column("schema", Text),
    Column("profile", Text),
    PrimaryKeyConstraint("run_pk", "name"),
    Index(None, "source_run_id"),
    Index(None, "digest"),
)

run_context = Table(
    "run_context",
    metadata,
    _run_key(),
    Column("topic", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("run_pk", "topic"),
)

journal = Table(
    "journal",
    metadata,
    _run_key(),
    Column("writer", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("digest_state", LargeBinary, nullable=False),
    Column("ended", Boolean, nullable=False),
    PrimaryKeyConstraint("run_pk", "writer"),
)

journal_fault = Table(
    "journal_fault",
    metadata,
    _run_key(),
    Column("writer", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("run_pk", "writer", "offset"),
)

fileset = Table(
    "fileset",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("file_count", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

model_name = Table(
    "model_name",
    metadata,
    Column("name", Text, primary_key=True),
    Column("last_version", Whole, nullable=False),
)

model = Table(
    "model",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, ForeignKey("model_name.name"), nullable=False),
    Column("version", Whole, nullable=False),
    Column("digest", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("format", Text, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("run_id", Text),
    Column("description", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("same_as", Whole),
    UniqueConstraint("name", "version"),
    Index(None, "digest"),
    Index(None, "run_id"),
)

model_tag = Table(
    "model_tag",
    metadata,
    Column("model_pk", Number, ForeignKey("model.pk", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("model_pk", "name"),
)

model_alias = Table(
    "model_alias",
    metadata,
    Column("name", Text, nullable=False),
    Column("alias", Text, nullable=False),
    Column("model_pk", Number, ForeignKey("model.pk", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("name", "alias"),
)
