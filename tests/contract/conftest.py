"""Every contract test runs in three modes: the folder itself, the codec without a socket, and a server on loopback."""

import pytest

from amlsdk.local import LocalBackend
from amlsdk.remote import RemoteBackend
from amlsdk.server.run import ServerThread
from amlsdk.service import Spool
from amlsdk.testing.modes import WireBackend


@pytest.fixture
def folder_backend(tmp_path):
    """The workspace that answers in the end, in each mode."""
    opened = LocalBackend(tmp_path / "workspace")
    yield opened
    opened.close()


@pytest.fixture(params=["local", "wire", "http"])
def backend(request, folder_backend, tmp_path, monkeypatch):
    """A backend of each mode over the same kind of workspace."""
    if request.param == "local":
        yield folder_backend
    elif request.param == "wire":
        spool = Spool(journals=tmp_path / "spool" / "journals", runs=tmp_path / "spool" / "runs", shipped=True)
        yield WireBackend(folder_backend, spool=spool)
    else:
        monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
        with ServerThread(folder_backend.open()) as server:
            remote = RemoteBackend(server.url, token=server.token)
            yield remote
            remote.close()


@pytest.fixture
def service(backend):
    """A service of each mode, for the user who runs the tests, as owner."""
    return backend.open()
