"""Add what members of a workspace share: secrets, agents, output in the catalogue, published projects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from amlsdk.storage.catalogue.types import Text, Whole

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    """Add tables and columns."""
    for column in ("remote", "branch", "head"):
        op.add_column("project", sa.Column(column, Text, nullable=True))
    op.add_column("project", sa.Column("published_at", sa.BigInteger(), nullable=True))
    op.add_column("deployment", sa.Column("secrets", Text, nullable=False, server_default="{}"))
    op.add_column("deployment", sa.Column("agent", Text, nullable=True))
    _secrets()
    _agents()
    _output()


def _secrets() -> None:
    op.create_table(
        "secret",
        sa.Column("name", Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("user", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secret"),
    )


def _agents() -> None:
    op.create_table(
        "agent",
        sa.Column("id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("user", Text, nullable=False),
        sa.Column("owner", Text, nullable=False),
        sa.Column("slots", Whole, nullable=False),
        sa.Column("facts", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agent"),
        sa.UniqueConstraint("name", name="uq_agent_name"),
    )


def _output() -> None:
    op.create_table(
        "output_chunk",
        sa.Column("owner_id", Text, nullable=False),
        sa.Column("first_offset", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", Whole, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "first_offset", name="pk_output_chunk"),
    )
