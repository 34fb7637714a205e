"""A team's service, as its people use it: by objects and by the command."""

import json
import os
import pickle
import subprocess
import sys

import pytest

import amlsdk
from amlsdk.errors import Conflict, Denied, InvalidArgument, NotFound, NotSignedIn
from amlsdk.server.run import ServerThread
from amlsdk.tenancy import TenantHost

AML = [sys.executable, "-c", "from amlsdk.cli import main; main()"]


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    opened = TenantHost(tmp_path / "service", owner="ada")
    yield opened
    opened.close()


@pytest.fixture
def url(host):
    with ServerThread(host) as server:
        yield server.url


@pytest.fixture
def ada(host, url):
    """The workspace that the first owner has from the start."""
    with amlsdk.connect(url, token=host.first_token) as workspace:
        yield workspace


def aml(url, token, *arguments, code=0):
    environment = {**os.environ, "AMLSDK_TOKEN": token}
    done = subprocess.run([*AML, "-w", url, *arguments], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_a_second_person_works_on_what_the_first_shares(ada, url):
    """From nothing to a run of somebody else's in one workspace, and to nothing again."""
    team = ada.subscription.teams.create("vision", resource_group="rg-1")
    cats = team.workspaces.create("cats", description="all about cats")
    cats.projects.create("wine")
    token = ada.subscription.tokens
    with pytest.raises(NotFound, match="no user 'bob'"):
        token.create("bob's laptop", user="bob")
    cats.members.create("bob", role="contributor")
    secret = cats.tokens.create("bob's laptop", user="bob", expires_in_s=3600.0).secret
    with amlsdk.connect(url, token=secret) as bob:
        assert (bob.name, bob.role, bob.location) == ("cats", "contributor", url)
        with bob.projects["wine"].experiments.get_or_create("train").start_run() as run:
            run.log("loss", 0.25)
        assert [each.name for each in bob.subscription.workspaces] == ["cats"]
        with pytest.raises(Denied, match="CreateMember needs the role owner; 'bob' is contributor here"):
            bob.members.create("eve")
        with pytest.raises(NotFound, match="no workspace 'default'"):
            amlsdk.connect(url, token=secret, workspace="default")
    found = cats.runs.get(run.id)
    assert (found.record.user, found.status, dict(found.metrics)) == ("bob", "Completed", {"loss": 0.25})
    cats.members.delete("bob")
    with pytest.raises(NotFound, match="'bob' is a member of no workspace"):
        amlsdk.connect(url, token=secret)
    cats.close()


def test_members_are_a_collection(ada):
    members = ada.members
    bob = members.create("bob", role="reader")
    assert (bob.user, bob.role, bob.inherited_from, bob.record.invited_by) == ("bob", "reader", None, "ada")
    assert "bob" in members
    assert "eve" not in members
    assert [each.user for each in members] == ["ada", "bob"]
    assert members["ada"].inherited_from == ada.subscription.id
    assert members.get("bob").update(role="owner").role == "owner"
    assert bob.refresh().role == "owner"
    assert "inherited" in repr(members)
    with pytest.raises(InvalidArgument, match=r"create\(role=...\) is one of 'reader', 'contributor', 'owner', not"):
        members.create("eve", role="king")
    with pytest.raises(Conflict, match="'bob' is owner here already"):
        members.create("bob", role="reader")
    bob.delete()
    members.delete("bob")
    with pytest.raises(NotFound, match="'bob' is no member here; there are 'ada'"):
        members.get("bob")


def test_tokens_are_a_collection_and_tell_their_secret_once(ada, url):
    made = ada.tokens.create("laptop", role="reader")
    assert made.secret.startswith(f"aml_{made.id}_")
    assert made.secret not in repr(made) + repr(ada.tokens) + str(made.record)
    for other in (ada.tokens.get("laptop"), pickle.loads(pickle.dumps(made))):
        with pytest.raises(NotFound, match="known only when it was made"):
            _ = other.secret
    assert [token.name for token in ada.tokens.list()] == ["laptop"]
    assert [token.name for token in ada.subscription.tokens.list()] == ["first owner", "laptop"]
    with amlsdk.connect(url, token=made.secret) as reader, pytest.raises(Denied, match="'ada' is reader here"):
        reader.projects.create("wine")
    ada.tokens.delete("laptop")
    with pytest.raises(NotSignedIn, match="unknown here, or was revoked"):
        amlsdk.connect(url, token=made.secret)
    with pytest.raises(InvalidArgument, match=r"create\(expires_in_s=...\) is a number of seconds above 0, not int -1"):
        ada.tokens.create("laptop", expires_in_s=-1)


def test_teams_and_their_workspaces_are_collections(ada):
    teams = ada.subscription.teams
    vision = teams.get_or_create("vision", resource_group="rg-1")
    assert teams.get_or_create("vision") == vision
    assert vision.update(description="eyes").description == "eyes"
    assert [team.name for team in teams] == ["default", "vision"]
    assert ada.subscription.update(name="Contoso", regions=["west"]).regions == ("west",)
    with pytest.raises(InvalidArgument, match="allows the regions west, not ''"):
        vision.workspaces.create("cats")
    cats = vision.workspaces.create("cats", region="west")
    assert cats.info()["region"] == "west"
    assert vision.workspaces["cats"] == cats == vision.workspaces.get(cats.id)
    assert "cats" not in teams["default"].workspaces
    with pytest.raises(Conflict, match="before its workspaces: cats"):
        vision.delete()
    cats.delete()
    vision.delete()
    assert "vision" not in teams
    cats.close()


def test_a_folder_says_that_others_need_a_service(tmp_path):
    with amlsdk.connect(tmp_path / "mine") as workspace:
        for ask in (workspace.members.list, workspace.tokens.list, lambda: workspace.subscription):
            with pytest.raises(InvalidArgument, match=r"`aml serve --root .*mine` serves it"):
                ask()


def test_the_command_does_the_same(ada, host, url):
    owner = host.first_token
    assert aml(url, owner, "team", "create", "vision", "--resource-group", "rg-1").startswith("team vision ")
    made = json.loads(aml(url, owner, "workspace", "create", "cats", "--team", "vision", "--json"))
    assert (made["name"], made["role"]) == ("cats", "owner")
    cats = f"{url}/w/cats"
    assert aml(cats, owner, "member", "create", "bob", "--role", "contributor") == "bob is contributor\n"
    secret = aml(cats, owner, "token", "create", "laptop", "--user", "bob", "--days", "30").strip()
    assert "cats" in aml(url, secret, "info")
    assert "bob" in aml(cats, owner, "member", "list")
    assert "inherited" in aml(cats, owner, "member", "list")
    shown = aml(url, owner, "team", "show", "vision")
    assert "rg-1" in shown
    assert "cats" in shown
    assert "'bob' is contributor here" in aml(cats, secret, "member", "create", "eve", code=1)
    assert aml(cats, owner, "member", "update", "bob", "--role", "reader") == "bob is reader\n"
    assert "laptop" in aml(cats, owner, "token", "list", "--everybody")
    tokens = json.loads(aml(cats, owner, "token", "list", "--everybody", "--json"))
    assert [token["name"] for token in tokens] == ["laptop"]
    aml(cats, owner, "token", "delete", tokens[0]["id"])
    assert "unknown here" in aml(cats, secret, "info", code=1)
    aml(cats, owner, "member", "delete", "bob")
    aml(url, owner, "workspace", "delete", "cats", "--yes")
    aml(url, owner, "team", "delete", "vision", "--yes")
    assert "vision" not in aml(url, owner, "team", "list")
    assert secret not in aml(url, owner, "token", "list", "--subscription", "--json")
