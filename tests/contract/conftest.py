"""Every contract test runs in modes: the folder itself, the codec without a socket, and a server process."""

import getpass
from pathlib import Path

import attrs
import pytest
from served import serving

from amlsdk.local import LocalBackend
from amlsdk.records.ids import new_id
from amlsdk.remote import RemoteBackend
from amlsdk.service import Spool
from amlsdk.testing.modes import WireBackend


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
    with server_process.connect() as first:
        with first.subscription.workspaces.create(f"w-{new_id()}") as workspace:
            # Only now it has a folder.
            workspace.refresh()
            folder = server_process.root / "workspaces" / workspace.id
            return Given(workspace.location, server_process.token, folder)


@pytest.fixture
def folder_backend(request, tmp_path):
    """The workspace that answers in the end, in each mode."""
    mode = getattr(request.node, "callspec", None) and request.node.callspec.params.get("backend")
    folder = request.getfixturevalue("given").folder if mode == "http" else tmp_path / "workspace"
    opened = LocalBackend(folder)
    yield opened
    opened.close()


@pytest.fixture(params=["local", "wire", "http"])
def backend(request, tmp_path, monkeypatch):
    """A backend of each mode over the same kind of workspace."""
    if request.param == "local":
        yield request.getfixturevalue("folder_backend")
    elif request.param == "wire":
        spool = Spool(journals=tmp_path / "spool" / "journals", runs=tmp_path / "spool" / "runs", shipped=True)
        yield WireBackend(request.getfixturevalue("folder_backend"), spool=spool)
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
