"""Where a service keeps its directory and its workspaces, and who may have them open."""

import contextlib
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from postgres_server import ON_SERVER, why_not

from amlsdk.errors import Conflict, InvalidArgument, NotFound, Unavailable
from amlsdk.operations.blobs import GetBlob, PutBlob
from amlsdk.operations.projects import CreateProject, DeleteProject, ListProjects
from amlsdk.operations.secrets import GetSecret, SetSecret
from amlsdk.operations.tenancy import CreateWorkspace, DeleteWorkspace, GetSubscription, ListTeams, ListTokens
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.records.ids import new_id
from amlsdk.records.streams import ByteStream
from amlsdk.remote import RemoteBackend
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.tenancy.schema import DIRECTORY, metadata
from amlsdk.tenancy import TenantHost

DATA = Path(__file__).parents[1] / "data"
# Those of the file that is kept: see tests/data/make_directory_0001.py.
OLD_TOKEN = "aml_01kdyj3a0000000000000000k1_" + "A" * 43
CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
on_server = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(params=["folder", ON_SERVER])
def database(request):
    return None if request.param == "folder" else request.getfixturevalue("postgres_database")


@pytest.fixture
def host(tmp_path, database):
    opened = TenantHost(tmp_path / "service", owner="ada", database=database)
    yield opened
    opened.close()


def service_of(host, workspace=None, token=None):
    return host.service(host.sign_in(token or host.first_token), workspace)


def make_workspace(host, name):
    ada = service_of(host)
    return ada.send(CreateWorkspace(id=new_id(), team_id=ada.send(ListTeams()).items[0].id, name=name))


def project_names(service):
    return [item.name for item in service.send(ListProjects()).items]


def test_knowing_a_digest_opens_nothing_of_another_workspace(host):
    made = make_workspace(host, "cats")
    service_of(host, "default").send(PutBlob(digest=DIGEST, content=ByteStream.of(CONTENT)))
    with pytest.raises(NotFound):
        service_of(host, made.id).send(GetBlob(digest=DIGEST))
    assert service_of(host, "default").send(GetBlob(digest=DIGEST)).read() == CONTENT


def test_a_deleted_workspace_leaves_nothing(host, tmp_path, database, postgres_server):
    made = make_workspace(host, "cats")
    service = service_of(host, "cats")
    service.send(PutBlob(digest=DIGEST, content=ByteStream.of(CONTENT)))
    project = service.send(CreateProject(id=new_id(), name="wine"))
    with pytest.raises(Conflict, match="1 projects"):
        service_of(host).send(DeleteWorkspace(workspace_id=made.id))
    service.send(DeleteProject(project_id=project.id))
    service_of(host).send(DeleteWorkspace(workspace_id=made.id))
    assert [
        path for path in tmp_path.rglob("*") if path.is_file() and (made.id in str(path) or DIGEST in str(path))
    ] == []
    if database is not None:
        found = postgres_server.execute("SELECT nspname FROM pg_namespace", database=database.rpartition("/")[2])
        assert [name for (name,) in found if made.id in name] == []


def test_a_workspace_that_was_never_used_is_deleted(host):
    made = make_workspace(host, "cats")
    service_of(host).send(DeleteWorkspace(workspace_id=made.id))
    with pytest.raises(NotFound):
        service_of(host, "cats").send(GetWorkspace())


def test_a_service_that_ended_is_opened_as_it_was(host, tmp_path, database):
    service_of(host).send(CreateProject(id=new_id(), name="wine"))
    service_of(host).send(SetSecret(name="key", value="s3cret"))
    token = host.first_token
    host.close()
    again = TenantHost(tmp_path / "service", owner="eve", database=database)
    assert again.first_token is None
    assert project_names(service_of(again, token=token)) == ["wine"]
    assert service_of(again, token=token).send(GetSecret(name="key")).value == "s3cret"
    again.close()


def test_blobs_may_be_in_another_place_than_the_rest(tmp_path, database):
    host = TenantHost(tmp_path / "service", database=database, blobs=str(tmp_path / "blobs"))
    service = service_of(host)
    service.send(PutBlob(digest=DIGEST, content=ByteStream.of(CONTENT)))
    workspace = service.send(GetWorkspace())
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == CONTENT]
    assert kept
    assert all(path.is_relative_to(tmp_path / "blobs" / "workspaces" / workspace.id) for path in kept)
    host.close()


def test_other_databases_than_postgresql_are_refused(tmp_path):
    with pytest.raises(InvalidArgument, match=r"--database postgresql\+psycopg://"):
        TenantHost(tmp_path / "service", database="mysql://user:secret@host/db")


def test_a_directory_of_the_first_revision_is_opened_whole(tmp_path):
    root = tmp_path / "service"
    root.mkdir()
    shutil.copy(DATA / "directory-0001.sqlite", root / "service.sqlite")
    host = TenantHost(root, owner="eve")
    ada = service_of(host, token=OLD_TOKEN)
    assert (host.first_token, ada.send(GetSubscription()).regions) == (None, ("eu",))
    assert ada.send(GetWorkspace()).name == "cats"
    with host.directory.database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
    host.close()


NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("team", sa.Column("motto", sa.Text()))
"""


@pytest.fixture
def next_version(tmp_path, monkeypatch):
    """The library as it will be when the directory has one revision more."""
    migrations = tmp_path / "migrations"
    shutil.copytree(DIRECTORY.migrations, migrations)
    (migrations / "versions" / "r0002_next.py").write_text(NEXT)
    newer = attrs.evolve(DIRECTORY, migrations=migrations, revisions=("0001", "0002"))
    monkeypatch.setattr("amlsdk.tenancy.grounds._MIGRATION_WAIT_S", 0.1)
    return lambda: monkeypatch.setattr("amlsdk.tenancy.beginning.DIRECTORY", newer)


def test_nobody_migrates_a_service_that_another_process_serves(host, next_version, tmp_path, database, monkeypatch):
    token = host.first_token
    assert len(service_of(host).send(ListTeams()).items) == 1
    next_version()
    with pytest.raises(Unavailable, match=r"older schema .* while other processes serve it; end those"):
        TenantHost(tmp_path / "service", database=database)
    assert len(service_of(host).send(ListTeams()).items) == 1
    host.close()
    again = TenantHost(tmp_path / "service", database=database)
    assert len(service_of(again, token=token).send(ListTeams()).items) == 1
    with again.directory.database.read() as connection:
        assert connection.execute(sa.text("SELECT motto FROM team")).scalar_one() is None
    again.close()
    monkeypatch.undo()
    with pytest.raises(Conflict, match=r"'0002'.*upgrade amlsdk"):
        TenantHost(tmp_path / "service", database=database)


@on_server
def test_workspaces_are_migrated_with_the_directory(postgres_database, tmp_path, monkeypatch):
    host = TenantHost(tmp_path / "service", database=postgres_database)
    token, workspace = host.first_token, service_of(host).send(GetWorkspace())
    host.close()
    old = Database(postgres_database, schema=f"ws_{workspace.id}")
    with old.write() as connection:
        for statement in ("DROP TABLE secret", "DROP TABLE agent", "DROP TABLE output_chunk"):
            connection.execute(sa.text(statement))
        columns = [("project", name) for name in ("remote", "branch", "head", "published_at")]
        for table, column in (*columns, ("deployment", "secrets"), ("deployment", "agent")):
            connection.execute(sa.text(f'ALTER TABLE {table} DROP COLUMN "{column}"'))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0004'"))
    old.close()
    again = TenantHost(tmp_path / "service", database=postgres_database)
    assert service_of(again, token=token).send(CreateProject(id=new_id(), name="wine")).name == "wine"
    again.close()


@on_server
def test_a_newer_schema_is_refused(postgres_database, tmp_path):
    host = TenantHost(tmp_path / "service", database=postgres_database)
    workspace = service_of(host).send(GetWorkspace())
    host.close()
    newer = Database(postgres_database, schema=f"ws_{workspace.id}")
    with newer.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    newer.close()
    with pytest.raises(Conflict, match=r"'9999'.*upgrade amlsdk"):
        TenantHost(tmp_path / "service", database=postgres_database)


def test_the_first_starts_of_several_make_one_service(tmp_path, database):
    with ThreadPoolExecutor(4) as pool:
        starts = pool.map(lambda _: TenantHost(tmp_path / "service", database=database), range(4))
        hosts = list(starts)
    [token] = [host.first_token for host in hosts if host.first_token is not None]
    assert len({service_of(host, token=token).send(GetSubscription()).id for host in hosts}) == 1
    assert len(service_of(hosts[0], token=token).send(ListTokens()).items) == 1
    for host in hosts:
        host.close()


SERVING = """
import json, pathlib, sys
from amlsdk.server.run import ServerThread
from amlsdk.tenancy import TenantHost

root, database, blobs = sys.argv[1:]
host = TenantHost(pathlib.Path(root), owner="ada", database=database, blobs=blobs)
with ServerThread(host) as server:
    print(json.dumps({"url": server.url, "token": host.first_token}), flush=True)
    sys.stdin.read()
host.close()
"""


@contextlib.contextmanager
def processes(tmp_path, database, count):
    """Server processes that begin at once, each with a folder of its own; each comes with what it said."""
    started = []
    for number in range(count):
        command = [sys.executable, "-c", SERVING, tmp_path / f"root-{number}", database, tmp_path / "blobs"]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    try:
        yield [(process, json.loads(process.stdout.readline())) for process in started]
    finally:
        for process in started:
            process.stdin.close()
            process.wait(60)
            process.stdout.close()


@on_server
def test_two_processes_serve_one_service_and_either_may_die(postgres_database, tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AMLSDK_SECRETS_KEY", "A" * 43 + "=")
    with processes(tmp_path, postgres_database, 2) as [(first, of_first), (_, of_second)]:
        [token] = [said["token"] for said in (of_first, of_second) if said["token"] is not None]
        one = RemoteBackend(of_first["url"], token=token, deadline_s=1.0)
        other = RemoteBackend(of_second["url"], token=token)
        made = one.open().send(CreateProject(id=new_id(), name="wine"))
        one.open().send(PutBlob(digest=DIGEST, content=ByteStream.of(CONTENT)))
        one.open().send(SetSecret(name="key", value="s3cret"))
        assert other.open().send(ListProjects()).items == (made,)
        assert other.open().send(GetBlob(digest=DIGEST)).read() == CONTENT
        assert other.open().send(GetSecret(name="key")).value == "s3cret"
        acknowledged = kill_in_the_midst(first, one.open())
        assert acknowledged <= set(project_names(other.open()))
        assert other.open().send(CreateProject(id=new_id(), name="after it")).name == "after it"
        one.close()
        other.close()


def kill_in_the_midst(process, service):
    """Kill a server while it writes; return what it acknowledged."""
    acknowledged, enough = {"wine"}, threading.Event()

    def write():
        with contextlib.suppress(Unavailable):
            for number in range(1_000):
                acknowledged.add(service.send(CreateProject(id=new_id(), name=f"p{number}")).name)
                if number == 20:
                    enough.set()
        enough.set()

    writing = threading.Thread(target=write)
    writing.start()
    enough.wait()
    process.send_signal(signal.SIGKILL)
    process.wait()
    writing.join()
    assert len(acknowledged) > 20
    return acknowledged
