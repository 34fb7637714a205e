"""The tables of the directory, as the newest migration leaves them. Times are whole microseconds since 1970 UTC."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from amlsdk.storage.catalogue.migrating import Schema
from amlsdk.storage.catalogue.schema.base import NAMING
from amlsdk.storage.catalogue.types import Text, Whole

__all__ = ["DIRECTORY", "member", "metadata", "sign_in", "subscription", "team", "token", "user", "workspace"]

metadata = MetaData(naming_convention=NAMING)

subscription = Table(
    "subscription",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    # JSON: a list of labels.
    Column("regions", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

user = Table(
    "user",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    # Who they are to the provider they sign in with: issuer and subject (OpenID Connect Core 1.0, section 5.7).
    Column("issuer", Text),
    Column("subject", Text),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("issuer", "subject"),
)

team = Table(
    "team",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("resource_group", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

workspace = Table(
    "workspace",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("team_id", Text, ForeignKey("team.id"), nullable=False),
    Column("region", Text, nullable=False),
    Column("description", Text, nullable=False),
    # Where it was before the service had it, within the service's folder; NULL where the service made it.
    Column("place", Text),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "team_id"),
)

# What a user may do in a subscription, a team or a workspace; ids are unique among all of them.
member = Table(
    "member",
    metadata,
    Column("resource_id", Text, nullable=False),
    Column("user_id", Text, ForeignKey("user.id"), nullable=False),
    Column("role", Whole, nullable=False),
    Column("invited_by", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("resource_id", "user_id"),
    Index(None, "user_id"),
)

token = Table(
    "token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("user_id", Text, ForeignKey("user.id"), nullable=False),
    # SHA-256 of the whole token, in hexadecimal digits: it has 256 random bits, which no dictionary has.
    Column("digest", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("role", Whole),
    Column("workspace_id", Text, ForeignKey("workspace.id", ondelete="CASCADE")),
    Column("created_by", Text, ForeignKey("user.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Index(None, "user_id"),
    Index(None, "workspace_id"),
    Index(None, "expires_at"),
)

# Signing in with a provider, between the page where it begins and the client that asked for it.
sign_in = Table(
    "sign_in",
    metadata,
    Column("state", Text, primary_key=True),
    # JSON: nonce, code verifier, and where to go afterwards.
    Column("facts", Text, nullable=False),
    Column("user_id", Text, ForeignKey("user.id")),
    Column("expires_at", BigInteger, nullable=False),
)

DIRECTORY = Schema(metadata=metadata, migrations=Path(__file__).parent / "migrations", revisions=("0001",))
