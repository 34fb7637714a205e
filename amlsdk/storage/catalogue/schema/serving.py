"""The tables of what is packaged and deployed: manifests, images, deployments."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from amlsdk.storage.catalogue.schema.base import metadata
from amlsdk.storage.catalogue.types import Number, Text, Whole

__all__ = [
    "asset_name",
    "deployment",
    "deployment_served",
    "deployment_traffic",
    "image",
    "manifest",
    "manifest_model",
]

# The newest number given per kind of thing that has versions, and name.
asset_name = Table(
    "asset_name",
    metadata,
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("last_version", Whole, nullable=False),
    PrimaryKeyConstraint("kind", "name"),
)

manifest = Table(
    "manifest",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("version", Whole, nullable=False),
    Column("digest", Text, nullable=False),
    Column("files", Text, nullable=False),
    Column("script", Text, nullable=False),
    Column("python", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("dependencies", Text, nullable=False),
    Column("unsafe", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("same_as", Whole),
    UniqueConstraint("name", "version"),
    Index(None, "digest"),
)

manifest_model = Table(
    "manifest_model",
    metadata,
    Column("manifest_pk", Number, ForeignKey("manifest.pk", ondelete="CASCADE"), nullable=False),
    Column("position", Whole, nullable=False),
    Column("model_pk", Number, ForeignKey("model.pk"), nullable=False),
    PrimaryKeyConstraint("manifest_pk", "position"),
    Index(None, "model_pk"),
)

image = Table(
    "image",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("version", Whole, nullable=False),
    Column("manifest_pk", Number, ForeignKey("manifest.pk"), nullable=False),
    Column("builder", Text, nullable=False),
    Column("base", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("error", Text),
    Column("digest", Text),
    Column("files", Text),
    Column("size_bytes", BigInteger, nullable=False),
    Column("unpacked_bytes", BigInteger, nullable=False),
    Column("layers", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("python", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("owner", Text, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    UniqueConstraint("name", "version"),
    Index(None, "manifest_pk"),
    Index(None, "status"),
)

deployment = Table(
    "deployment",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("target", Text, nullable=False),
    Column("image_pk", Number, ForeignKey("image.pk"), nullable=False),
    Column("replicas", Whole, nullable=False),
    Column("generation", Whole, nullable=False),
    # Why the newest generation was asked for: what the history says once it serves.
    Column("cause", Text, nullable=False),
    Column("observed", Whole, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("problem", Text),
    Column("serving_pk", Number, ForeignKey("image.pk")),
    Column("scoring_uri", Text),
    Column("settings", Text, nullable=False),
    Column("environment_variables", Text, nullable=False),
    Column("primary_key", Text, nullable=False),
    Column("secondary_key", Text, nullable=False),
    # Digest of the keys that its supervisor has made known to all processes.
    Column("keys_seen", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("restarts", Whole, nullable=False),
    Column("owner", Text),
    Column("lease_until", BigInteger),
    Column("stop_requested", Boolean, nullable=False),
    # JSON: names of secrets by environment variable.
    Column("secrets", Text, nullable=False, server_default="{}"),
    Column("agent", Text),
    Index(None, "image_pk"),
    Index(None, "serving_pk"),
)

deployment_served = Table(
    "deployment_served",
    metadata,
    Column("deployment_pk", Number, ForeignKey("deployment.pk", ondelete="CASCADE"), nullable=False),
    Column("number", Whole, nullable=False),
    Column("image_pk", Number, ForeignKey("image.pk"), nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("deployment_pk", "number"),
    Index(None, "image_pk"),
)

deployment_traffic = Table(
    "deployment_traffic",
    metadata,
    Column("deployment_pk", Number, ForeignKey("deployment.pk", ondelete="CASCADE"), nullable=False),
    # Whole stretches of ten seconds since 1970; the last count of a stretch is kept.
    Column("stretch", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("counts", Text, nullable=False),
    PrimaryKeyConstraint("deployment_pk", "stretch"),
)
