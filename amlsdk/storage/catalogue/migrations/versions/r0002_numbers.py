"""Index the numbers of params and tags; note which version of a model has the same content."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from amlsdk.storage.catalogue.types import Whole

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Add the indexes and the column."""
    for table in ("param", "tag"):
        op.create_index(
            f"ix_{table}_experiment_id_name_number_run_pk", table, ["experiment_id", "name", "number", "run_pk"]
        )
        op.create_index(f"ix_{table}_name_number_run_pk", table, ["name", "number", "run_pk"])
    op.add_column("model", sa.Column("same_as", Whole))
