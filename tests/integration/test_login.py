"""`aml login`, `aml logout`, `aml whoami`: a token that is kept, and found again."""

import json
import os
import pty
import subprocess
import sys

import pytest
from served import AML, serving

import amlsdk
from amlsdk.errors import NotSignedIn

# A keyring that other processes find again, as those of desktops are.
RING = """
import json, os, pathlib
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

FILE = pathlib.Path(os.environ["RING_FILE"])

class Ring(KeyringBackend):
    priority = 5

    def _kept(self):
        return json.loads(FILE.read_text()) if FILE.exists() else {}

    def get_password(self, service, username):
        return self._kept().get(f"{service} {username}")

    def set_password(self, service, username, password):
        FILE.write_text(json.dumps(self._kept() | {f"{service} {username}": password}))

    def delete_password(self, service, username):
        kept = self._kept()
        if kept.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError(username)
        FILE.write_text(json.dumps(kept))
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("login") / "service", "--owner", "ada") as served:
        yield served


@pytest.fixture
def env(tmp_path, monkeypatch):
    """The environment of a user without a keyring, for this process too."""
    for name in [name for name in os.environ if name.startswith("AMLSDK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    return monkeypatch


def aml(*arguments, said="", code=0):
    done = subprocess.run([*AML, *arguments], input=said, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_a_token_is_checked_kept_found_and_forgotten(served, env, tmp_path):
    file = tmp_path / "home" / "credentials.json"
    with pytest.raises(NotSignedIn, match="aml login"):
        amlsdk.connect(served.url)
    assert "the token is unknown here" in aml("login", served.url, "--token", "aml_wrong", code=1)
    assert not file.exists()
    said = aml("login", served.url, "--token", "-", said=f"{served.token}\n")
    assert said == (
        f"signed in to {served.url} as ada; the token is in {file}\n"
        f"commands and programs use it by `export AMLSDK_WORKSPACE={served.url}`\n"
    )
    assert file.stat().st_mode & 0o777 == 0o600
    with amlsdk.connect(served.url) as workspace:
        assert workspace.name == "default"
    assert "ada" in aml("-w", served.url, "whoami")
    aml("logout", served.url)
    assert "no token is kept" in aml("logout", served.url, code=1)
    with pytest.raises(NotSignedIn):
        amlsdk.connect(served.url)


def test_the_environment_and_what_is_given_come_first(served, env):
    aml("login", served.url, "--token", served.token)
    env.setenv("AMLSDK_TOKEN", "aml_wrong")
    with pytest.raises(NotSignedIn):
        amlsdk.connect(served.url)
    with amlsdk.connect(served.url, token=served.token) as workspace:
        assert workspace.name == "default"


def test_a_token_may_be_kept_for_one_workspace(served, env):
    with served.connect() as first:
        first.subscription.workspaces.create("vision").close()
    assert "no workspace 'nowhere'" in aml(
        "login", served.url, "--token", served.token, "--workspace", "nowhere", code=1
    )
    aml("login", served.url, "--token", served.token, "--workspace", "vision")
    with amlsdk.connect(served.url, workspace="vision") as workspace:
        assert workspace.name == "vision"
    with pytest.raises(NotSignedIn):
        amlsdk.connect(served.url, workspace="default")


def test_who_one_is_and_why_is_told_without_the_token(served, env):
    aml("login", served.url, "--token", served.token)
    facts = json.loads(aml("-w", f"{served.url}/w/default", "whoami", "--json"))
    assert (facts["user"], facts["signed in by"]) == ("ada", f"aml login {served.url}")
    assert (facts["expires"], facts["service"]) == ("never", f"{served.url}/w/default")
    assert served.token not in str(facts)
    env.setenv("AMLSDK_TOKEN", served.token)
    assert json.loads(aml("-w", served.url, "whoami", "--json"))["signed in by"] == "AMLSDK_TOKEN"


def test_a_folder_has_no_sign_in(env, tmp_path):
    amlsdk.connect(tmp_path / "folder").close()
    assert "is a folder of your own" in aml("-w", str(tmp_path / "folder"), "whoami", code=1)
    assert "is no URL of a service" in aml("login", str(tmp_path / "folder"), "--token", "x", code=1)


def test_where_nobody_can_be_asked_the_command_says_how_to_give_a_token(served, env):
    assert f"aml login {served.url} --token -" in aml("login", served.url, code=1)


def test_a_token_that_is_typed_is_not_shown(served, env):
    """On a terminal of its own, as a person sits before it."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*AML, "login", served.url], stdin=follower, stdout=follower, stderr=follower, start_new_session=True
    ) as process:
        os.close(follower)
        screen = os.read(leader, 4096)
        while b"Token for" not in screen:
            screen += os.read(leader, 4096)
        os.write(leader, f"{served.token}\n".encode())
        while b"signed in to" not in screen:
            screen += os.read(leader, 4096)
        assert process.wait(timeout=60) == 0
    os.close(leader)
    assert served.token.encode() not in screen
    with amlsdk.connect(served.url) as workspace:
        assert workspace.name == "default"


def test_a_keyring_keeps_the_token_where_there_is_one(served, env, tmp_path):
    (tmp_path / "ring.py").write_text(RING)
    env.setenv("PYTHONPATH", str(tmp_path))
    env.setenv("PYTHON_KEYRING_BACKEND", "ring.Ring")
    env.setenv("RING_FILE", str(tmp_path / "ring.json"))
    said = aml("login", served.url, "--token", served.token)
    assert "the token is in the system's keyring\n" in said
    assert served.token not in (tmp_path / "home" / "credentials.json").read_text()
    assert served.token in (tmp_path / "ring.json").read_text()
    connect = [sys.executable, "-c", f"import amlsdk; print(amlsdk.connect({served.url!r}).name)"]
    assert subprocess.run(connect, capture_output=True, text=True, check=True).stdout == "default\n"
    aml("logout", served.url)
    assert served.token not in (tmp_path / "ring.json").read_text()


def test_a_keyring_that_is_gone_is_said(served, env, tmp_path):
    (tmp_path / "ring.py").write_text(RING)
    env.setenv("PYTHONPATH", str(tmp_path))
    env.setenv("PYTHON_KEYRING_BACKEND", "ring.Ring")
    env.setenv("RING_FILE", str(tmp_path / "ring.json"))
    aml("login", served.url, "--token", served.token)
    env.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    assert "the system's keyring, which can't be asked" in aml("-w", served.url, "info", code=1)
