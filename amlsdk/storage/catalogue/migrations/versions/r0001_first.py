"""The schema of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from amlsdk.storage.catalogue.types import Number, Text, Whole

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make all tables."""
    _projects()
    _runs()
    _metrics()
    _texts()
    _logged()
    _journals()
    _models()


def _projects() -> None:
    op.create_table(
        "workspace",
        sa.Column("id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("slots", Whole, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspace"),
    )
    op.create_table(
        "project",
        sa.Column("id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("folder", Text, nullable=True),
        sa.Column("description", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_run_number", Whole, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_project"),
        sa.UniqueConstraint("name", name="uq_project_name"),
    )
    op.create_table(
        "experiment",
        sa.Column("id", Text, nullable=False),
        sa.Column("project_id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("description", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_experiment_project_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_experiment"),
        sa.UniqueConstraint("project_id", "name", name="uq_experiment_project_id_name"),
    )


def _runs() -> None:
    op.create_table(
        "run",
        sa.Column("pk", Number, nullable=False),
        sa.Column("id", Text, nullable=False),
        sa.Column("number", Whole, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("project_id", Text, nullable=False),
        sa.Column("experiment_id", Text, nullable=False),
        sa.Column("parent_id", Text, nullable=True),
        sa.Column("kind", Text, nullable=False),
        sa.Column("status", Text, nullable=False),
        sa.Column("error", Text, nullable=True),
        sa.Column("user", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("target", Text, nullable=True),
        sa.Column("job", Text, nullable=True),
        sa.Column("exit_code", Whole, nullable=True),
        sa.Column("owner", Text, nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("claimed_status", Text, nullable=True),
        sa.Column("claimed_error", Text, nullable=True),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiment.id"], name="fk_run_experiment_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_run_project_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("pk", name="pk_run"),
        sa.UniqueConstraint("id", name="uq_run_id"),
    )
    op.create_index("ix_run_experiment_id_name", "run", ["experiment_id", "name"])
    op.create_index("ix_run_experiment_id_pk", "run", ["experiment_id", "pk"])
    op.create_index("ix_run_experiment_id_started_at", "run", ["experiment_id", "started_at"])
    op.create_index("ix_run_experiment_id_status_pk", "run", ["experiment_id", "status", "pk"])
    op.create_index("ix_run_parent_id", "run", ["parent_id"])
    op.create_index("ix_run_project_id_pk", "run", ["project_id", "pk"])
    op.create_index("ix_run_status_target_pk", "run", ["status", "target", "pk"])
    op.create_table(
        "run_state",
        sa.Column("run_pk", Number, nullable=False),
        sa.Column("number", Whole, nullable=False),
        sa.Column("status", Text, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", Text, nullable=True),
        sa.ForeignKeyConstraint(["run_pk"], ["run.pk"], name="fk_run_state_run_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_pk", "number", name="pk_run_state"),
    )


def _metrics() -> None:
    op.create_table(
        "metric",
        sa.Column("run_pk", Number, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("experiment_id", Text, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.Float(precision=53), nullable=True),
        sa.Column("min", sa.Float(precision=53), nullable=True),
        sa.Column("max", sa.Float(precision=53), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("last_time", sa.BigInteger(), nullable=False),
        sa.Column("last_writer", Text, nullable=False),
        sa.Column("last_offset", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_pk"], ["run.pk"], name="fk_metric_run_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_pk", "name", name="pk_metric"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_metric_experiment_id_name_last_run_pk", "metric", ["experiment_id", "name", "last", "run_pk"])
    op.create_index("ix_metric_name_last_run_pk", "metric", ["name", "last", "run_pk"])
    op.create_table(
        "series_chunk",
        sa.Column("run_pk", Number, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("writer", Text, nullable=False),
        sa.Column("first_offset", sa.BigInteger(), nullable=False),
        sa.Column("count", Whole, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_pk"], ["run.pk"], name="fk_series_chunk_run_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_pk", "name", "writer", "first_offset", name="pk_series_chunk"),
    )


def _texts() -> None:
    op.create_table(
        "param",
        sa.Column("run_pk", Number, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("experiment_id", Text, nullable=False),
        sa.Column("value", Text, nullable=False),
        sa.Column("number", sa.Float(precision=53), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_pk"], ["run.pk"], name="fk_param_run_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_pk", "name", name="pk_param"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_param_experiment_id_name_value_run_pk", "param", ["experiment_id", "name", "value", "run_pk"])
    op.create_index("ix_param_name_value_run_pk", "param", ["name", "value", "run_pk"])
    op.create_table(
        "tag",
        sa.Column("run_pk", Number, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("experiment_id", Text, nullable=False),
        sa.Column("value", Text, nullable=False),
        sa.Column("number", sa.Float(precision=53), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_pk"], ["run.pk"], name="fk_tag_run_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_pk", "name", name="pk_tag"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tag_experiment_id_name_value_run_pk", "tag", ["experiment_id", "name", "value", "run_pk"])
    op.create_index("ix_tag_name_value_run_pk", "tag", ["name", "value", "run_pk"])


def _logged() -> None:
    op.create_table(
        "run_row",
        sa.Column("run_pk", Number, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("writer", Text, nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("values", Text, nullable=False),
        sa.ForeignKeyConstraint(["run_pk"], ["run.pk"], name="fk_run_row_run_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_pk", "name", "time", "writer", "offset", name="pk_run_row"),
    )
    op.create_table(
        "run_file",
        sa.Column("run_pk", Number, nullable=False),
        sa.Column("path", Text, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mode", Text, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_pk"], ["run.pk"], name="fk_run_file_run_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_pk", "path", name="pk_run_file"),
    )
    op.create_table(
        "run_input",
        sa.Column("run_pk", Number, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("source", Text, nullable=False),
        sa.Column("source_run_id", Text, nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("schema", Text, nullable=True),
        sa.Column("profile", Text, nullable=True),
        sa.ForeignKeyConstraint(["run_pk"], ["run.pk"], name="fk_run_input_run_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_pk", "name", name="pk_run_input"),
    )
    op.create_index("ix_run_input_digest", "run_input", ["digest"])
    op.create_index("ix_run_input_source_run_id", "run_input", ["source_run_id"])
    op.create_table(
        "run_context",
        sa.Column("run_pk", Number, nullable=False),
        sa.Column("topic", Text, nullable=False),
        sa.Column("value", Text, nullable=False),
        sa.ForeignKeyConstraint(["run_pk"], ["run.pk"], name="fk_run_context_run_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_pk", "topic", name="pk_run_context"),
    )


def _journals() -> None:
    op.create_table(
        "journal",
        sa.Column("run_pk", Number, nullable=False),
        sa.Column("writer", Text, nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("digest_state", sa.LargeBinary(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run_pk"], ["run.pk"], name="fk_journal_run_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_pk", "writer", name="pk_journal"),
    )
    op.create_table(
        "journal_fault",
        sa.Column("run_pk", Number, nullable=False),
        sa.Column("writer", Text, nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("reason", Text, nullable=False),
        sa.ForeignKeyConstraint(["run_pk"], ["run.pk"], name="fk_journal_fault_run_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_pk", "writer", "offset", name="pk_journal_fault"),
    )


def _models() -> None:
    op.create_table(
        "fileset",
        sa.Column("digest", Text, nullable=False),
        sa.Column("file_count", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_fileset"),
    )
    op.create_table(
        "model_name",
        sa.Column("name", Text, nullable=False),
        sa.Column("last_version", Whole, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_model_name"),
    )
    op.create_table(
        "model",
        sa.Column("pk", Number, nullable=False),
        sa.Column("id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("version", Whole, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("format", Text, nullable=False),
        sa.Column("algorithm", Text, nullable=False),
        sa.Column("run_id", Text, nullable=True),
        sa.Column("description", Text, nullable=False),
        sa.Column("user", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["model_name.name"], name="fk_model_name"),
        sa.PrimaryKeyConstraint("pk", name="pk_model"),
        sa.UniqueConstraint("id", name="uq_model_id"),
        sa.UniqueConstraint("name", "version", name="uq_model_name_version"),
    )
    op.create_index("ix_model_digest", "model", ["digest"])
    op.create_index("ix_model_run_id", "model", ["run_id"])
    op.create_table(
        "model_tag",
        sa.Column("model_pk", Number, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("value", Text, nullable=False),
        sa.ForeignKeyConstraint(["model_pk"], ["model.pk"], name="fk_model_tag_model_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("model_pk", "name", name="pk_model_tag"),
    )
    op.create_table(
        "model_alias",
        sa.Column("name", Text, nullable=False),
        sa.Column("alias", Text, nullable=False),
        sa.Column("model_pk", Number, nullable=False),
        sa.ForeignKeyConstraint(["model_pk"], ["model.pk"], name="fk_model_alias_model_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "alias", name="pk_model_alias"),
    )
