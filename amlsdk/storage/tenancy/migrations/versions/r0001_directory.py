"""Make the directory: subscription, users, teams, workspaces, members, tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from amlsdk.storage.catalogue.types import Text, Whole

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make the tables."""
    _subscription()
    _team()
    _user()
    _member()
    _sign_in()
    _workspace()
    _token()


def _subscription() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("regions", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscription"),
    )


def _team() -> None:
    op.create_table(
        "team",
        sa.Column("id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("resource_group", Text, nullable=False),
        sa.Column("description", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_team"),
        sa.UniqueConstraint("name", name="uq_team_name"),
    )


def _user() -> None:
    op.create_table(
        "user",
        sa.Column("id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("issuer", Text, nullable=True),
        sa.Column("subject", Text, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user"),
        sa.UniqueConstraint("issuer", "subject", name="uq_user_issuer_subject"),
        sa.UniqueConstraint("name", name="uq_user_name"),
    )


def _member() -> None:
    op.create_table(
        "member",
        sa.Column("resource_id", Text, nullable=False),
        sa.Column("user_id", Text, nullable=False),
        sa.Column("role", Whole, nullable=False),
        sa.Column("invited_by", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_member_user_id"),
        sa.PrimaryKeyConstraint("resource_id", "user_id", name="pk_member"),
    )
    op.create_index("ix_member_user_id", "member", ["user_id"], unique=False)


def _sign_in() -> None:
    op.create_table(
        "sign_in",
        sa.Column("state", Text, nullable=False),
        sa.Column("facts", Text, nullable=False),
        sa.Column("user_id", Text, nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_sign_in_user_id"),
        sa.PrimaryKeyConstraint("state", name="pk_sign_in"),
    )


def _workspace() -> None:
    op.create_table(
        "workspace",
        sa.Column("id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("team_id", Text, nullable=False),
        sa.Column("region", Text, nullable=False),
        sa.Column("description", Text, nullable=False),
        sa.Column("place", Text, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name="fk_workspace_team_id"),
        sa.PrimaryKeyConstraint("id", name="pk_workspace"),
        sa.UniqueConstraint("name", name="uq_workspace_name"),
    )
    op.create_index("ix_workspace_team_id", "workspace", ["team_id"], unique=False)


def _token() -> None:
    op.create_table(
        "token",
        sa.Column("id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("user_id", Text, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("role", Whole, nullable=True),
        sa.Column("workspace_id", Text, nullable=True),
        sa.Column("created_by", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name="fk_token_created_by"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_token_user_id"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_token_workspace_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
    )
    op.create_index("ix_token_expires_at", "token", ["expires_at"], unique=False)
    op.create_index("ix_token_user_id", "token", ["user_id"], unique=False)
    op.create_index("ix_token_workspace_id", "token", ["workspace_id"], unique=False)
