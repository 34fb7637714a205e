"""Make `workspace-0001.sqlite`: a small catalogue with the schema of revision 0001 and a few rows."""

import sys
from pathlib import Path

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from amlsdk.storage.catalogue.migrating import MIGRATIONS

PROJECT = "01kdyj3a0000000000000000p1"
EXPERIMENT = "01kdyj3a0000000000000000e1"
RUNS = ("01kdyj3a0000000000000000r1", "01kdyj3a0000000000000000r2")
MODEL = "01kdyj3a0000000000000000m1"
AT = 1_767_323_045_678_901

ROWS = {
    "workspace": [{"id": "01kdyj3a0000000000000000w1", "name": "old", "created_at": AT, "slots": 3}],
    "project": [{"id": PROJECT, "name": "wine", "description": "", "created_at": AT, "last_run_number": 2}],
    "experiment": [{"id": EXPERIMENT, "project_id": PROJECT, "name": "train", "description": "", "created_at": AT}],
    "run": [
        {
            "pk": number,
            "id": run_id,
            "number": number,
            "name": f"run-{number}",
            "project_id": PROJECT,
            "experiment_id": EXPERIMENT,
            "kind": "interactive",
            "status": "Completed",
            "user": "ada",
            "created_at": AT,
            "started_at": AT,
            "ended_at": AT + 1_000_000,
            "cancel_requested": 0,
        }
        for number, run_id in enumerate(RUNS, start=1)
    ],
    "run_state": [{"run_pk": 1, "number": 1, "status": "Running", "at": AT}],
    "metric": [
        {
            "run_pk": 1,
            "name": "loss",
            "experiment_id": EXPERIMENT,
            "count": 3,
            "last": 0.25,
            "min": 0.25,
            "max": 1.0,
            "last_step": 2,
            "last_time": AT,
            "last_writer": "0123456789abcdef",
            "last_offset": 210,
        }
    ],
    "param": [
        {"run_pk": 1, "name": "depth", "experiment_id": EXPERIMENT, "value": "4", "number": 4.0, "time": AT},
    ],
    "tag": [{"run_pk": 2, "name": "owner", "experiment_id": EXPERIMENT, "value": "ada", "time": AT}],
    "model_name": [{"name": "wine", "last_version": 1}],
    "model": [
        {
            "pk": 1,
            "id": MODEL,
            "name": "wine",
            "version": 1,
            "digest": "a" * 64,
            "size_bytes": 7,
            "format": "files",
            "algorithm": "{}",
            "run_id": RUNS[0],
            "description": "the old one",
            "user": "ada",
            "created_at": AT,
        }
    ],
    "alembic_version": [{"version_num": "0001"}],
}


def make(path: Path) -> None:
    """Write the catalogue."""
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        # Most pages of so few rows would be empty space.
        connection.exec_driver_sql("PRAGMA page_size=512")
        with Operations.context(MigrationContext.configure(connection)):
            ScriptDirectory(str(MIGRATIONS)).get_revision("0001").module.upgrade()
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        tables = sa.MetaData()
        tables.reflect(connection)
        for name, rows in ROWS.items():
            connection.execute(sa.insert(tables.tables[name]), rows)
    engine.dispose()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
