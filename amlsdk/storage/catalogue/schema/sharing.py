"""The tables of what members of a workspace share: secrets, agents, and output where no folder keeps it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, PrimaryKeyConstraint, Table

from amlsdk.storage.catalogue.schema.base import metadata
from amlsdk.storage.catalogue.types import Text, Whole

__all__ = ["agent", "output_chunk", "secret"]

secret = Table(
    "secret",
    metadata,
    Column("name", Text, primary_key=True),
    # Encrypted; NULL where a secret store outside of the catalogue has it.
    Column("sealed", LargeBinary),
    Column("user", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

agent = Table(
    "agent",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("user", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("slots", Whole, nullable=False),
    Column("facts", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
)

# What runs, builds and deployments printed, where several servers answer and no folder is common to them.
output_chunk = Table(
    "output_chunk",
    metadata,
    Column("owner_id", Text, nullable=False),
    Column("first_offset", BigInteger, nullable=False),
    Column("size_bytes", Whole, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("owner_id", "first_offset"),
)
