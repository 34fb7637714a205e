"""Every contract test runs in several modes: the folder itself, the codec without a socket, a server in a process of
its own, and a service whose catalogue is in PostgreSQL."""

import getpass
from pathlib import Path

import attrs
import pytest
from postgres_server import ON_SERVER, empty_tables
from served import serving

from amlsdk.local import LocalBackend
from amlsdk.local.folder import enter_workspace
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.records.ids import new_id
from amlsdk.remote import RemoteBackend
from amlsdk.service import Backend, Spool
from amlsdk.storage.catalogue.schema import metadata
from amlsdk.tenancy import TenantHost
from amlsdk.tenancy.estate import empty_store
from amlsdk.testing.modes import WireBackend


def pytest_generate_tests(metafunc):
    if "backend" in metafunc.fixturenames:
        # What a test finds in the workspace's folder, it finds in those modes alone that have one.
        in_folder = "folder_backend" in metafunc.function.__code__.co_varnames
        modes = ["local", "wire", "http"] if in_folder else ["local", "wire", "http", ON_SERVER]
        metafunc.parametrize("backend", modes, indirect=True)


@attrs.frozen
class Given:
    """A new workspace of a server in a process of its own."""

    url: str
    token: str
    folder: Path


@pytest.fixture(scope="session")
def server_process(tmp_path_factory):
    """A server as a team runs it, for all tests of this process."""
    root = tmp_path_factory.mktemp("serving") / "service"
    with serving(root, "--owner", getpass.getuser(), "--rate", "0") as served:
        yield served


@pytest.fixture
def given(server_process):
    """A workspace of its own for a test."""
    with server_process.connect() as first, first.subscription.workspaces.create(f"w-{new_id()}") as workspace:
        # Only now it has a folder.
        workspace.refresh()
        folder = server_process.root / "workspaces" / workspace.id
        return Given(workspace.location, server_process.token, folder)


@pytest.fixture
def folder_backend(request, tmp_path):
    """The workspace that answers in the end, in each mode that has a folder."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    over_http = parameters.get("backend") == "http"
    opened = LocalBackend(request.getfixturevalue("given").folder if over_http else tmp_path / "workspace")
    yield opened
    opened.close()


@pytest.fixture
def backend(request, tmp_path, monkeypatch):
    """A backend of each mode over the same kind of workspace."""
    if request.param == "postgres":
        yield request.getfixturevalue("postgres_backend")
    elif request.param == "local":
        yield request.getfixturevalue("folder_backend")
    elif request.param == "wire":
        yield WireBackend(request.getfixturevalue("folder_backend"), spool=spool_in(tmp_path))
    else:
        monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
        given = request.getfixturevalue("given")
        remote = RemoteBackend(given.url, token=given.token)
        yield remote
        remote.close()


@pytest.fixture
def service(backend):
    """A service of each mode, for the user who runs the tests, as owner."""
    return backend.open()


@pytest.fixture
def postgres_backend(postgres_host, tmp_path):
    """The only workspace of a service in PostgreSQL, empty."""
    backend = HostBackend(postgres_host, spool=spool_in(tmp_path))
    yield backend
    backend.empty()


@pytest.fixture(scope="session")
def postgres_host(postgres_server, tmp_path_factory):
    """A service in PostgreSQL; to make the tables of a workspace takes longer than most tests."""
    with postgres_server.database() as url:
        host = TenantHost(tmp_path_factory.mktemp("service"), database=url)
        yield host
        host.close()


class HostBackend(Backend):
    """The workspace of a new service, for its first owner."""

    def __init__(self, host, *, spool):
        self.host, self.spool, self.location = host, spool, "postgres"

    def open(self, principal=None):
        return self.host.service(principal or self.host.sign_in(self.host.first_token), None)

    def close(self):
        """The service is closed by who made it."""

    def empty(self):
        """Leave nothing of what a test made."""
        found = self.open().send(GetWorkspace())
        local = self.host.estate.local(found.id, found.name, None)
        empty_tables(local.database, metadata)
        enter_workspace(local.database, (found.id, found.name))
        empty_store(local.blobs)


def spool_in(folder):
    return Spool(journals=folder / "spool" / "journals", runs=folder / "spool" / "runs", shipped=True)
