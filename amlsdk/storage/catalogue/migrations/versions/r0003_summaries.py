"""Keep what a run shows of its metrics, params and tags in one row."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import sqlalchemy as sa
from alembic import op

from amlsdk.storage.catalogue.types import Number, Text

revision = "0003"
down_revision: str | None = "0002"

_METRICS = sa.text('SELECT name, count, last_step, last, "min", "max" FROM metric WHERE run_pk = :run ORDER BY name')
_AT_ONCE = 1000


def upgrade() -> None:
    """Add the table, and fill it for the runs that are there."""
    summary = op.create_table(
        "run_summary",
        sa.Column("run_pk", Number, nullable=False, autoincrement=False),
        sa.Column("texts", Text, nullable=False),
        sa.Column("numbers", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_pk", name="pk_run_summary"),
        sa.ForeignKeyConstraint(["run_pk"], ["run.pk"], name="fk_run_summary_run_pk", ondelete="CASCADE"),
    )
    connection = op.get_bind()
    keys = list(connection.scalars(sa.text("SELECT pk FROM run")))
    for start in range(0, len(keys), _AT_ONCE):
        rows = [{"run_pk": key, **_summary(connection, key)} for key in keys[start : start + _AT_ONCE]]
        connection.execute(sa.insert(summary), rows)


def _summary(connection: sa.engine.Connection, key: int) -> dict[str, Any]:
    metrics = connection.execute(_METRICS, {"run": key}).all()
    names = [row[0] for row in metrics]
    numbers = [math.nan if row[column] is None else row[column] for column in range(1, 6) for row in metrics]
    texts = {"metrics": names, **{f"{table}s": _texts(connection, table, key) for table in ("param", "tag")}}
    packed = struct.pack(f"<{2 * len(names)}q{3 * len(names)}d", *numbers)
    return {"texts": json.dumps(texts), "numbers": packed}


def _texts(connection: sa.engine.Connection, table: str, key: int) -> dict[str, str]:
    found = sa.text(f"SELECT name, value FROM {table} WHERE run_pk = :run ORDER BY name")  # noqa: S608  # names above
    return {row.name: row.value for row in connection.execute(found, {"run": key})}
