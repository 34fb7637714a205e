"""Add what is packaged and deployed: manifests, images, deployments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from amlsdk.storage.catalogue.types import Number, Text, Whole

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Add the tables."""
    _names()
    _manifests()
    _images()
    _deployments()
    _what_served()


def _names() -> None:
    op.create_table(
        "asset_name",
        sa.Column("kind", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("last_version", Whole, nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_asset_name"),
    )


def _manifests() -> None:
    op.create_table(
        "manifest",
        sa.Column("pk", Number, nullable=False),
        sa.Column("id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("version", Whole, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("files", Text, nullable=False),
        sa.Column("script", Text, nullable=False),
        sa.Column("python", Text, nullable=False),
        sa.Column("platform", Text, nullable=False),
        sa.Column("dependencies", Text, nullable=False),
        sa.Column("unsafe", Text, nullable=False),
        sa.Column("notes", Text, nullable=False),
        sa.Column("description", Text, nullable=False),
        sa.Column("user", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("same_as", Whole, nullable=True),
        sa.PrimaryKeyConstraint("pk", name="pk_manifest"),
        sa.UniqueConstraint("id", name="uq_manifest_id"),
        sa.UniqueConstraint("name", "version", name="uq_manifest_name_version"),
    )
    op.create_index("ix_manifest_digest", "manifest", ["digest"])
    op.create_table(
        "manifest_model",
        sa.Column("manifest_pk", Number, nullable=False),
        sa.Column("position", Whole, nullable=False),
        sa.Column("model_pk", Number, nullable=False),
        sa.ForeignKeyConstraint(
            ["manifest_pk"], ["manifest.pk"], name="fk_manifest_model_manifest_pk", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["model_pk"], ["model.pk"], name="fk_manifest_model_model_pk"),
        sa.PrimaryKeyConstraint("manifest_pk", "position", name="pk_manifest_model"),
    )
    op.create_index("ix_manifest_model_model_pk", "manifest_model", ["model_pk"])


def _images() -> None:
    op.create_table(
        "image",
        sa.Column("pk", Number, nullable=False),
        sa.Column("id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("version", Whole, nullable=False),
        sa.Column("manifest_pk", Number, nullable=False),
        sa.Column("builder", Text, nullable=False),
        sa.Column("base", Text, nullable=False),
        sa.Column("status", Text, nullable=False),
        sa.Column("step", Text, nullable=False),
        sa.Column("error", Text, nullable=True),
        sa.Column("digest", Text, nullable=True),
        sa.Column("files", Text, nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("unpacked_bytes", sa.BigInteger(), nullable=False),
        sa.Column("layers", Text, nullable=False),
        sa.Column("platform", Text, nullable=False),
        sa.Column("python", Text, nullable=False),
        sa.Column("user", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("owner", Text, nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["manifest_pk"], ["manifest.pk"], name="fk_image_manifest_pk"),
        sa.PrimaryKeyConstraint("pk", name="pk_image"),
        sa.UniqueConstraint("id", name="uq_image_id"),
        sa.UniqueConstraint("name", "version", name="uq_image_name_version"),
    )
    op.create_index("ix_image_manifest_pk", "image", ["manifest_pk"])
    op.create_index("ix_image_status", "image", ["status"])


def _deployments() -> None:
    op.create_table(
        "deployment",
        sa.Column("pk", Number, nullable=False),
        sa.Column("id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("target", Text, nullable=False),
        sa.Column("image_pk", Number, nullable=False),
        sa.Column("replicas", Whole, nullable=False),
        sa.Column("generation", Whole, nullable=False),
        sa.Column("cause", Text, nullable=False),
        sa.Column("observed", Whole, nullable=False),
        sa.Column("status", Text, nullable=False),
        sa.Column("reason", Text, nullable=False),
        sa.Column("problem", Text, nullable=True),
        sa.Column("serving_pk", Number, nullable=True),
        sa.Column("scoring_uri", Text, nullable=True),
        sa.Column("settings", Text, nullable=False),
        sa.Column("environment_variables", Text, nullable=False),
        sa.Column("primary_key", Text, nullable=False),
        sa.Column("secondary_key", Text, nullable=False),
        sa.Column("keys_seen", Text, nullable=False),
        sa.Column("user", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("restarts", Whole, nullable=False),
        sa.Column("owner", Text, nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("stop_requested", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["image_pk"], ["image.pk"], name="fk_deployment_image_pk"),
        sa.ForeignKeyConstraint(["serving_pk"], ["image.pk"], name="fk_deployment_serving_pk"),
        sa.PrimaryKeyConstraint("pk", name="pk_deployment"),
        sa.UniqueConstraint("id", name="uq_deployment_id"),
        sa.UniqueConstraint("name", name="uq_deployment_name"),
    )
    op.create_index("ix_deployment_image_pk", "deployment", ["image_pk"])
    op.create_index("ix_deployment_serving_pk", "deployment", ["serving_pk"])


def _what_served() -> None:
    op.create_table(
        "deployment_served",
        sa.Column("deployment_pk", Number, nullable=False),
        sa.Column("number", Whole, nullable=False),
        sa.Column("image_pk", Number, nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_pk"], ["deployment.pk"], name="fk_deployment_served_deployment_pk", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["image_pk"], ["image.pk"], name="fk_deployment_served_image_pk"),
        sa.PrimaryKeyConstraint("deployment_pk", "number", name="pk_deployment_served"),
    )
    op.create_index("ix_deployment_served_image_pk", "deployment_served", ["image_pk"])
    op.create_table(
        "deployment_traffic",
        sa.Column("deployment_pk", Number, nullable=False),
        sa.Column("stretch", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("counts", Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_pk"], ["deployment.pk"], name="fk_deployment_traffic_deployment_pk", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("deployment_pk", "stretch", name="pk_deployment_traffic"),
    )
