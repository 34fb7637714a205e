"""Workspaces as users have them: the same tests against a folder and against a server on loopback."""

import contextlib
import getpass

import pytest
from served import serving

import amlsdk


@contextlib.contextmanager
def served(folder):
    """A team's service on loopback: its URL, and the first owner's token."""
    from amlsdk.server.run import ServerThread
    from amlsdk.tenancy import TenantHost

    host = TenantHost(folder, owner=getpass.getuser())
    try:
        with ServerThread(host) as server:
            yield server.url, host.first_token
    finally:
        host.close()


@pytest.fixture
def folder_workspace(tmp_path):
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        yield workspace


@pytest.fixture(params=["folder", "http"])
def workspace(request, tmp_path, monkeypatch):
    """A workspace in each of the two ways in which users reach one."""
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    if request.param == "folder":
        with amlsdk.connect(tmp_path / "workspace") as workspace:
            yield workspace
        return
    with served(tmp_path / "service") as (url, token):
        # Commands, other processes and what is unpickled find it there.
        monkeypatch.setenv("AMLSDK_TOKEN", token)
        with amlsdk.connect(url, token=token) as workspace:
            yield workspace


@pytest.fixture
def experiment(workspace, tmp_path):
    """An experiment of a project whose folder is `code`."""
    code = tmp_path / "code"
    code.mkdir(exist_ok=True)
    return workspace.projects.get_or_create("wine", folder=code).experiments.get_or_create("train")


@pytest.fixture
def code(tmp_path):
    """The project's folder: `code("train.py", "...")` writes a file there."""
    folder = tmp_path / "code"
    folder.mkdir(exist_ok=True)

    def write(name, text):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def team(tmp_path, monkeypatch):
    """`aml serve` of a team in a process of its own, which may be killed and begun again; its owner is this process."""
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AMLSDK_WORKSPACE", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with serving(tmp_path / "service", "--owner", "ada") as running:
        monkeypatch.setenv("AMLSDK_TOKEN", running.token)
        yield running
