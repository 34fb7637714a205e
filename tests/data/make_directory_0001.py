"""Make `directory-0001.sqlite`: a small directory with the schema of revision 0001 and a few rows."""

import sys
from pathlib import Path

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from amlsdk.records.tokens import digest_of_token, id_of_token
from amlsdk.storage.tenancy.schema import DIRECTORY

AT = 1_767_323_045_678_901
SUBSCRIPTION, TEAM = "01kdyj3a0000000000000000s1", "01kdyj3a0000000000000000t1"
WORKSPACE = "01kdyj3a0000000000000000w1"
ADA, BOB = "01kdyj3a0000000000000000a1", "01kdyj3a0000000000000000b1"
# Made up for this file, and of no other service.
TOKEN = "aml_01kdyj3a0000000000000000k1_" + "A" * 43

ROWS = {
    "subscription": [{"id": SUBSCRIPTION, "name": "old", "regions": '["eu"]', "created_at": AT}],
    "user": [{"id": ADA, "name": "ada", "created_at": AT}, {"id": BOB, "name": "bob", "created_at": AT}],
    "team": [{"id": TEAM, "name": "vision", "resource_group": "rg", "description": "", "created_at": AT}],
    "workspace": [
        {"id": WORKSPACE, "name": "cats", "team_id": TEAM, "region": "eu", "description": "of old", "created_at": AT}
    ],
    "member": [
        {"resource_id": SUBSCRIPTION, "user_id": ADA, "role": 3, "invited_by": "", "created_at": AT},
        {"resource_id": WORKSPACE, "user_id": BOB, "role": 1, "invited_by": "ada", "created_at": AT},
    ],
    "token": [
        {
            "id": id_of_token(TOKEN),
            "name": "old",
            "user_id": ADA,
            "digest": digest_of_token(TOKEN),
            "kind": "user",
            "created_by": ADA,
            "created_at": AT,
        }
    ],
    "alembic_version": [{"version_num": "0001"}],
}


def make(path: Path) -> None:
    """Write the directory."""
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        # Most pages of so few rows would be empty space.
        connection.exec_driver_sql("PRAGMA page_size=512")
        with Operations.context(MigrationContext.configure(connection)):
            ScriptDirectory(str(DIRECTORY.migrations)).get_revision("0001").module.upgrade()
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        tables = sa.MetaData()
        tables.reflect(connection)
        for name, rows in ROWS.items():
            connection.execute(sa.insert(tables.tables[name]), rows)
    engine.dispose()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
