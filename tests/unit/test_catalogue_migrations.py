import fcntl
import shutil
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from amlsdk.errors import Conflict, Unavailable
from amlsdk.local import LocalBackend
from amlsdk.operations.deployments import ListDeployments
from amlsdk.operations.images import ListImages
from amlsdk.operations.manifests import ListManifests
from amlsdk.operations.models import ListModels
from amlsdk.operations.projects import CreateProject, ListProjects
from amlsdk.operations.runs import GetRun, SearchRuns
from amlsdk.records.ids import new_id
from amlsdk.storage.catalogue import migrating, schema
from amlsdk.storage.catalogue.database import Database

DATA = Path(__file__).parents[1] / "data"
OLD = DATA / "workspace-0001.sqlite"
OLD_RUNS = ("01kdyj3a0000000000000000r1", "01kdyj3a0000000000000000r2")


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/catalogue.sqlite")
    yield database
    database.close()


@pytest.fixture
def old_workspace(tmp_path):
    return workspace_with(OLD, tmp_path / "workspace")


def workspace_with(catalogue, folder):
    """A workspace as it was kept when its catalogue was made."""
    for part in ("journals", "runs", "cache"):
        (folder / part).mkdir(parents=True)
    shutil.copy(catalogue, folder / "catalogue.sqlite")
    (folder / "workspace.json").write_bytes(orjson.dumps({"format": 1, "id": "01kdyj3a0000000000000000w1"}))
    return folder


def differences(database):
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, schema.metadata)


def ddl(database):
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT type, name, tbl_name FROM sqlite_master ORDER BY name")
        return [tuple(row) for row in rows]


def columns(database):
    with database.read() as connection:
        inspector = sa.inspect(connection)
        return {
            table: [
                (column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)
            ]
            for table in inspector.get_table_names()
        }


def make_at_first_revision(database):
    with database.write() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            ScriptDirectory(str(migrating.MIGRATIONS)).get_revision("0001").module.upgrade()
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0001')")


def test_a_new_catalogue_has_the_schema(database):
    migrating.create(database)
    assert differences(database) == []
    assert migrating.is_current(database)


def test_a_migrated_catalogue_equals_a_new_one(database, tmp_path):
    make_at_first_revision(database)
    assert not migrating.is_current(database)
    migrating.migrate(database)
    fresh = Database(f"sqlite:///{tmp_path}/fresh.sqlite")
    migrating.create(fresh)
    assert differences(database) == []
    assert ddl(database) == ddl(fresh)
    assert columns(database) == columns(fresh)
    fresh.close()


def test_the_known_head_is_that_of_the_scripts():
    assert ScriptDirectory(str(migrating.MIGRATIONS)).get_heads() == [migrating.HEAD]


def test_making_the_schema_twice_is_no_error(database):
    migrating.create(database)
    migrating.create(database)
    assert migrating.is_current(database)


def test_an_older_workspace_is_opened_whole(old_workspace):
    backend = LocalBackend(old_workspace)
    service = backend.open()
    run = service.send(GetRun(run_id=OLD_RUNS[0]))
    assert (run.metrics["loss"].last, run.metrics["loss"].count) == (0.25, 3)
    assert (run.params, run.status) == ({"depth": "4"}, "Completed")
    assert service.send(GetRun(run_id=OLD_RUNS[1])).tags == {"owner": "ada"}
    model = service.send(ListModels()).items[0]
    assert (model.version, model.same_as, model.description) == (1, None, "the old one")
    assert differences(backend.database) == []
    assert service.send(CreateProject(id=new_id(), name="new")).name == "new"
    backend.close()


def test_a_workspace_of_the_fourth_revision_is_opened_whole(tmp_path):
    backend = LocalBackend(workspace_with(DATA / "workspace-0004.sqlite", tmp_path / "workspace"))
    service = backend.open()
    run = service.send(SearchRuns(filter="metrics.loss < 0.3 and params.depth = 4 and tags.owner = 'ada'")).items[0]
    assert (run.name, run.status, run.metrics["loss"].count) == ("old run", "Completed", 3)
    assert service.send(ListModels()).items[0].description == "the old one"
    [manifest], [image] = service.send(ListManifests()).items, service.send(ListImages()).items
    assert (manifest.name, manifest.version, image.manifest_id) == ("wine", 1, manifest.id)
    deployment = service.send(ListDeployments()).items[0]
    assert (deployment.name, deployment.agent, dict(deployment.secrets)) == ("wine", None, {})
    assert differences(backend.database) == []
    backend.close()


def test_a_migration_waits_for_nobody_who_has_the_workspace_open(old_workspace, monkeypatch):
    monkeypatch.setattr("amlsdk.local.folder._MIGRATION_WAIT_S", 0.05)
    with (old_workspace / "workspace.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        with pytest.raises(Unavailable, match=r"older schema .* end those that use it"):
            LocalBackend(old_workspace)
    LocalBackend(old_workspace).close()


def test_a_newer_schema_is_refused(tmp_path):
    LocalBackend(tmp_path / "w").close()
    database = Database(f"sqlite:///{tmp_path}/w/catalogue.sqlite")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num='9999'")
    database.close()
    with pytest.raises(Conflict, match=r"'9999'.*upgrade amlsdk"):
        LocalBackend(tmp_path / "w")


def test_a_failed_migration_changes_nothing(old_workspace, monkeypatch):
    def break_off(*_args, **_kwargs):
        raise Unavailable("power is gone")

    monkeypatch.setattr(Operations, "add_column", break_off, raising=False)
    with pytest.raises(Unavailable, match="power is gone"):
        LocalBackend(old_workspace)
    monkeypatch.undo()
    backend = LocalBackend(old_workspace)
    assert [item.name for item in backend.open().send(ListProjects()).items] == ["wine"]
    backend.close()
