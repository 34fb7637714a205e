"""Subscription, teams, workspaces, members and tokens, in three modes over the same kind of host, and in PostgreSQL."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest
from making import make_project
from postgres_server import ON_SERVER
from test_alike import outcome, plain_request

from amlsdk.errors import Conflict, Denied, InvalidArgument, NotFound, NotSignedIn, Unavailable
from amlsdk.operations import TABLE
from amlsdk.operations.projects import ListProjects
from amlsdk.operations.tenancy import (
    CreateMember,
    CreateTeam,
    CreateToken,
    CreateWorkspace,
    DeleteMember,
    DeleteTeam,
    DeleteToken,
    DeleteWorkspace,
    GetCaller,
    GetSubscription,
    GetTeam,
    ListMembers,
    ListTeams,
    ListTokens,
    ListWorkspaces,
    RenewToken,
    UpdateMember,
    UpdateSubscription,
    UpdateTeam,
)
from amlsdk.operations.workspaces import GetWorkspace, UpdateWorkspace
from amlsdk.records.ids import new_id
from amlsdk.records.tokens import digest_of_token, id_of_token, new_token
from amlsdk.remote import RemoteBackend
from amlsdk.server.run import ServerThread
from amlsdk.tenancy import TenantHost, tokens
from amlsdk.testing import WireService

DAY_S = 86_400.0


class Door:
    """Opens services of a host in one mode."""

    def __init__(self, host, mode, url):
        self.host, self.mode, self.url = host, mode, url

    def open(self, token, workspace=None):
        if self.mode == "http":
            location = self.url if workspace is None else f"{self.url}/w/{workspace}"
            return RemoteBackend(location, token=token, deadline_s=2.0).open()
        service = self.host.service(self.host.sign_in(token), workspace)
        return WireService(service) if self.mode == "wire" else service


@pytest.fixture
def host(request, tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    mode = request.node.callspec.params.get("door") if hasattr(request.node, "callspec") else None
    database = request.getfixturevalue("postgres_database") if mode == "postgres" else None
    opened = TenantHost(tmp_path / "service", owner="ada", database=database)
    yield opened
    opened.close()


@pytest.fixture(params=["local", "wire", "http", ON_SERVER])
def door(request, host):
    with contextlib.ExitStack() as opened:
        url = opened.enter_context(ServerThread(host)).url if request.param == "http" else ""
        yield Door(host, request.param, url)


@pytest.fixture
def ada(door, host):
    """The first owner."""
    return door.open(host.first_token)


def make_team(service, name="vision", **fields):
    return service.send(CreateTeam(id=new_id(), name=name, **fields))


def make_workspace(service, name="cats", team=None, **fields):
    team = team or make_team(service)
    return service.send(CreateWorkspace(id=new_id(), team_id=team.id, name=name, **fields))


def make_token(service, **fields):
    """Return the secret of a new token."""
    secret = new_token()
    given = {"id": id_of_token(secret), "name": "laptop", "digest": digest_of_token(secret), **fields}
    service.send(CreateToken(**given))
    return secret


def secret_of(token):
    """Return the random part, which may hold the character that parts it from the id."""
    return token.split("_", 2)[2]


def refusal(host, secret):
    """Return why a token opens nothing; None where it does."""
    try:
        host.sign_in(secret)
    except NotSignedIn as error:
        return str(error)
    return None


def until(fact, timeout_s=15.0):
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, "it never came"
        threading.Event().wait(0.01)


def let_in(service, resource_id, user="bob", role="contributor", **token):
    """Make a user a member and return a token of theirs."""
    service.send(CreateMember(resource_id=resource_id, user=user, role=role))
    return make_token(service, user=user, **token)


@pytest.mark.parametrize("cls", [cls for cls, row in TABLE.items() if row.on], ids=lambda cls: cls.__name__)
def test_every_operation_of_the_directory_answers_alike(host, cls):
    with ServerThread(host) as server:
        doors = [Door(host, mode, server.url) for mode in ("local", "wire", "http")]
        found = [outcome(door.open(host.first_token), plain_request(cls)) for door in doors]
    assert found[1] == found[0]
    assert found[2] == found[0]


def test_a_new_service_has_an_owner_a_team_and_a_workspace(ada):
    caller, subscription = ada.send(GetCaller()), ada.send(GetSubscription())
    assert (caller.user, caller.role, caller.token.name) == ("ada", "owner", "first owner")
    assert (subscription.name, subscription.regions) == ("default", ())
    [team], [workspace] = ada.send(ListTeams()).items, ada.send(ListWorkspaces()).items
    assert (team.name, workspace.name, workspace.team_id, workspace.role) == ("default", "default", team.id, "owner")
    assert ada.send(GetWorkspace()).id == workspace.id


def test_the_first_token_is_told_once_and_kept_nowhere(host, tmp_path):
    secret = secret_of(host.first_token).encode()
    again = TenantHost(tmp_path / "service", owner="eve")
    assert again.first_token is None
    again.close()
    for path in (tmp_path / "service").rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes(), path


@pytest.mark.parametrize("token", [None, "", "aml_x", "nonsense", "aml_" + "0" * 26 + "_" + "A" * 43])
def test_a_token_that_is_none_opens_nothing(host, token):
    with pytest.raises(NotSignedIn):
        host.sign_in(token)


def test_a_token_with_another_secret_opens_nothing(host):
    other = host.first_token[:-1] + ("A" if host.first_token[-1] != "A" else "B")
    with pytest.raises(NotSignedIn, match="unknown here, or was revoked"):
        host.sign_in(other)


def test_whoever_is_not_signed_in_is_told_so(door, host):
    if door.mode == "http":
        with pytest.raises(NotSignedIn, match="unknown here"):
            door.open(new_token()).send(GetWorkspace())


def test_teams_are_created_once_changed_listed_and_deleted(ada):
    team = make_team(ada, resource_group="rg-1", description="cats and dogs")
    same = CreateTeam(id=team.id, name="vision", resource_group="rg-1", description="cats and dogs")
    assert ada.send(same) == team == ada.send(GetTeam(team_id=team.id))
    with pytest.raises(Conflict, match="other fields"):
        ada.send(attrs.evolve(same, resource_group="rg-2"))
    with pytest.raises(Conflict, match="named 'vision' exists"):
        make_team(ada)
    changed = ada.send(UpdateTeam(team_id=team.id, resource_group="rg-3"))
    assert (changed.resource_group, changed.description) == ("rg-3", "cats and dogs")
    assert [found.name for found in ada.send(ListTeams()).items] == ["default", "vision"]
    assert ada.send(ListTeams(name="vision")).items == (changed,)
    ada.send(DeleteTeam(team_id=team.id))
    with pytest.raises(NotFound):
        ada.send(GetTeam(team_id=team.id))


def test_a_team_can_not_be_deleted_before_what_it_holds(door, host, ada):
    team = make_team(ada)
    workspace = make_workspace(ada, team=team)
    with pytest.raises(Conflict, match="can't be deleted before its workspaces: cats"):
        ada.send(DeleteTeam(team_id=team.id))
    inside = door.open(host.first_token, workspace.id)
    make_project(inside)
    with pytest.raises(Conflict, match="before what it holds: 1 projects"):
        ada.send(DeleteWorkspace(workspace_id=workspace.id))
    assert inside.send(ListProjects()).items


def test_an_empty_workspace_is_deleted_with_its_files(door, host, ada):
    workspace = make_workspace(ada)
    inside = door.open(host.first_token, "cats")
    assert inside.send(UpdateWorkspace(slots=7)).slots == 7
    folder = host.estate.local(workspace.id, "cats", None).folder
    assert folder.is_dir()
    ada.send(DeleteWorkspace(workspace_id=workspace.id))
    assert not folder.exists()
    with pytest.raises(NotFound):
        door.open(host.first_token, "cats").send(GetWorkspace())
    assert [found.name for found in ada.send(ListWorkspaces()).items] == ["default"]


def test_workspaces_carry_a_region_that_is_allowed(ada):
    assert ada.send(UpdateSubscription(name="Contoso", regions=("west", "east"))).regions == ("west", "east")
    team = make_team(ada)
    with pytest.raises(InvalidArgument, match="allows the regions west, east, not 'north'"):
        make_workspace(ada, team=team, region="north")
    made = make_workspace(ada, team=team, region="east", description="about cats")
    assert (made.region, made.description, made.role) == ("east", "about cats", "owner")
    with pytest.raises(Conflict, match=r"no longer be allowed: cats \(east\)"):
        ada.send(UpdateSubscription(regions=("west",)))
    assert ada.send(GetSubscription()).name == "Contoso"


def test_a_workspace_is_created_once(ada):
    team = make_team(ada)
    request = CreateWorkspace(id=new_id(), team_id=team.id, name="cats")
    assert ada.send(request) == ada.send(request)
    with pytest.raises(Conflict, match="named 'cats' exists"):
        ada.send(attrs.evolve(request, id=new_id()))
    with pytest.raises(InvalidArgument, match="can't name a workspace"):
        ada.send(attrs.evolve(request, id=new_id(), name="a/b"))


def test_a_second_person_sees_a_project_only_as_a_member(door, host, ada):
    """Not before, and not after."""
    workspace = make_workspace(ada)
    make_project(door.open(host.first_token, workspace.id))
    bobs = let_in(ada, ada.send(ListWorkspaces(name="default")).items[0].id)
    bob = door.open(bobs, workspace.id)
    with pytest.raises(NotFound, match="no workspace"):
        bob.send(ListProjects())
    member = ada.send(CreateMember(resource_id=workspace.id, user="bob", role="reader"))
    bob = door.open(bobs, workspace.id)
    assert [project.name for project in bob.send(ListProjects()).items] == ["wine"]
    with pytest.raises(Denied, match="CreateProject needs the role contributor; 'bob' is reader here"):
        make_project(bob, name="beer")
    ada.send(UpdateMember(resource_id=workspace.id, user_id=member.user_id, role="contributor"))
    assert make_project(door.open(bobs, workspace.id), name="beer").name == "beer"
    ada.send(DeleteMember(resource_id=workspace.id, user_id=member.user_id))
    with pytest.raises(NotFound):
        door.open(bobs, workspace.id).send(ListProjects())


def test_members_inherit_roles_downward(ada):
    team = make_team(ada)
    workspace = make_workspace(ada, team=team)
    ada.send(CreateMember(resource_id=team.id, user="bob", role="contributor"))
    ada.send(CreateMember(resource_id=workspace.id, user="bob", role="reader"))
    found = ada.send(ListMembers(resource_id=workspace.id)).items
    shown = [(item.user, item.role, item.inherited_from) for item in found]
    assert ("bob", "contributor", team.id) in shown
    assert ("bob", "reader", None) in shown
    assert {item.resource_id for item in found} == {workspace.id}
    assert [item.role for item in ada.send(ListMembers(resource_id=team.id, user="bob")).items] == ["contributor"]


def test_the_higher_of_two_roles_counts(door, ada):
    team = make_team(ada)
    workspace = make_workspace(ada, team=team)
    bobs = let_in(ada, team.id, role="contributor")
    ada.send(CreateMember(resource_id=workspace.id, user="bob", role="reader"))
    assert door.open(bobs).send(GetWorkspace()).role == "contributor"
    assert make_project(door.open(bobs)).name == "wine"


def test_a_member_is_made_once(ada):
    workspace = make_workspace(ada)
    request = CreateMember(resource_id=workspace.id, user="bob", role="reader")
    assert ada.send(request) == ada.send(request)
    with pytest.raises(Conflict, match="'bob' is reader here already"):
        ada.send(attrs.evolve(request, role="owner"))
    with pytest.raises(InvalidArgument, match="reader, contributor, owner, not 'king'"):
        ada.send(attrs.evolve(request, user="eve", role="king"))
    with pytest.raises(InvalidArgument, match="can't name a user"):
        ada.send(attrs.evolve(request, user=" bob"))
    with pytest.raises(NotFound, match="no member with the id"):
        ada.send(UpdateMember(resource_id=workspace.id, user_id="nobody", role="owner"))
    ada.send(DeleteMember(resource_id=workspace.id, user_id="nobody"))


def test_somebody_is_left_who_may_do_everything(ada):
    subscription, me = ada.send(GetSubscription()).id, ada.send(GetCaller()).user_id
    for request in (
        UpdateMember(resource_id=subscription, user_id=me, role="reader"),
        DeleteMember(resource_id=subscription, user_id=me),
    ):
        with pytest.raises(Conflict, match="'ada' is the last owner of the subscription"):
            ada.send(request)
    ada.send(CreateMember(resource_id=subscription, user="eve", role="owner"))
    ada.send(DeleteMember(resource_id=subscription, user_id=me))
    with pytest.raises(NotFound):
        ada.send(ListMembers(resource_id=subscription))


def test_where_none_is_named_the_only_workspace_is_meant(door, host, ada):
    workspace = make_workspace(ada)
    bobs = let_in(ada, workspace.id)
    assert door.open(bobs).send(GetWorkspace()).name == "cats"
    other = make_workspace(ada, name="dogs", team=make_team(ada, "other"))
    ada.send(CreateMember(resource_id=other.id, user="bob", role="reader"))
    with pytest.raises(InvalidArgument, match=r"several workspaces; connect\(.*\) takes one: cats, dogs"):
        door.open(bobs).send(GetWorkspace())
    # Of several, the one of this name.
    assert ada.send(GetWorkspace()).name == "default"
    assert door.open(host.first_token, "dogs").send(GetWorkspace()).id == other.id


def test_a_token_opens_one_workspace_with_a_lesser_role_until_it_is_revoked(door, host, ada):
    workspace = make_workspace(ada)
    secret = make_token(ada, workspace_id=workspace.id, role="reader", kind="user")
    inside = door.open(secret)
    assert (inside.send(GetWorkspace()).name, inside.send(GetWorkspace()).role) == ("cats", "reader")
    assert inside.send(GetCaller()).token.workspace_id == workspace.id
    with pytest.raises(Denied):
        make_project(inside)
    with pytest.raises(NotFound):
        door.open(secret, "default").send(GetWorkspace())
    assert [found.name for found in inside.send(ListWorkspaces()).items] == ["cats"]
    ada.send(DeleteToken(token_id=id_of_token(secret)))
    with pytest.raises(NotSignedIn, match="revoked"):
        door.open(secret).send(GetWorkspace())
    ada.send(DeleteToken(token_id=id_of_token(secret)))


def test_a_token_never_opens_more_than_the_one_it_was_made_with(door, host, ada):
    workspace = make_workspace(ada)
    lesser = door.open(make_token(ada, workspace_id=workspace.id, role="reader", expires_in_s=60.0))
    secret = make_token(lesser, name="wider", role="owner")
    found = door.open(secret).send(GetCaller()).token
    assert (found.role, found.workspace_id) == ("reader", workspace.id)
    assert found.expires_at == lesser.send(GetCaller()).token.expires_at
    with pytest.raises(NotFound):
        make_token(lesser, workspace_id=ada.send(ListWorkspaces(name="default")).items[0].id)


def test_an_expired_token_opens_nothing(door, host, ada):
    secret = make_token(ada, expires_in_s=0.2)
    until(lambda: refusal(host, secret) is not None)
    assert "has expired" in refusal(host, secret)
    with pytest.raises(Conflict, match="has expired; make another"):
        ada.send(RenewToken(token_id=id_of_token(secret), expires_in_s=60.0))


def test_what_works_renews_its_own_token(door, ada):
    secret = make_token(ada, kind="run", expires_in_s=60.0)
    run = door.open(secret)
    before = run.send(GetCaller()).token.expires_at
    assert run.send(RenewToken(token_id=id_of_token(secret), expires_in_s=3600.0)).expires_at > before
    with pytest.raises(InvalidArgument, match="at most 86400 s"):
        run.send(RenewToken(token_id=id_of_token(secret), expires_in_s=2 * DAY_S))
    mine = make_token(ada, expires_in_s=60.0)
    with pytest.raises(Denied, match="can be renewed by who made it"):
        door.open(mine).send(RenewToken(token_id=id_of_token(mine), expires_in_s=3600.0))
    assert ada.send(RenewToken(token_id=id_of_token(mine), expires_in_s=3600.0)).expires_at is not None
    with pytest.raises(InvalidArgument, match="a token for a run has an end"):
        make_token(ada, kind="run")


def test_tokens_of_others_are_made_by_owners(door, host, ada):
    """And only for what they own: who owns a workspace can't be somebody else in another."""
    workspace = make_workspace(ada)
    bob = door.open(let_in(ada, workspace.id, role="owner"))
    bob.send(CreateMember(resource_id=workspace.id, user="eve"))
    with pytest.raises(Denied, match="owners of the subscription; 'bob' is none"):
        make_token(bob, user="eve")
    eves = make_token(bob, user="eve", workspace_id=workspace.id)
    assert door.open(eves).send(GetCaller()).user == "eve"
    with pytest.raises(Denied, match="owners of this workspace; 'eve' is none"):
        make_token(door.open(eves), user="bob")
    with pytest.raises(NotFound, match="no user 'nobody'"):
        make_token(ada, user="nobody")


def test_a_token_of_a_workspace_reaches_no_other_token_of_its_user(door, host, ada):
    """Neither a script's, nor one that an owner of the workspace made for somebody who may do more elsewhere."""
    workspace = make_workspace(ada)
    bob = door.open(let_in(ada, workspace.id, role="owner"))
    own = id_of_token(make_token(ada, expires_in_s=3600.0))
    secret = make_token(bob, user="ada", workspace_id=workspace.id)
    as_ada = door.open(secret)
    assert as_ada.send(GetCaller()).user == "ada"
    assert [item.id for item in as_ada.send(ListTokens()).items] == [id_of_token(secret)]
    for request in (DeleteToken(token_id=own), RenewToken(token_id=own, expires_in_s=7200.0)):
        with pytest.raises(NotFound, match="no token .* of yours"):
            as_ada.send(request)
    assert own in {item.id for item in ada.send(ListTokens()).items}
    ada.send(DeleteToken(token_id=id_of_token(secret)))
    assert refusal(host, secret) is not None


def test_tokens_that_expired_long_ago_are_forgotten(host, ada, door, monkeypatch):
    old = id_of_token(make_token(ada, kind="run", expires_in_s=60.0))
    now = tokens.now_us()
    monkeypatch.setattr(tokens, "now_us", lambda: now + 29 * 86_400_000_000)
    make_token(ada, name="later")
    assert old in {item.id for item in ada.send(ListTokens()).items}
    monkeypatch.setattr(tokens, "now_us", lambda: now + 31 * 86_400_000_000)
    make_token(ada, name="latest")
    assert {item.name for item in ada.send(ListTokens()).items} == {"first owner", "later", "latest"}


def test_who_shows_a_token_is_let_in_where_that_can_not_be_noted(host, monkeypatch):
    """A full disk keeps nobody from reading."""

    def full():
        raise Unavailable("the disk is full")

    monkeypatch.setattr(host._sign_in.database, "write", full)
    assert host.sign_in(host.first_token).name == "ada"


def test_tokens_are_listed_without_secrets(door, ada):
    workspace = make_workspace(ada)
    bobs = let_in(ada, workspace.id, workspace_id=workspace.id)
    [mine] = ada.send(ListTokens()).items
    assert mine.name == "first owner"
    assert [item.user for item in ada.send(ListTokens(everybody=True)).items] == ["ada", "bob"]
    assert [item.user for item in ada.send(ListTokens(workspace_id=workspace.id)).items] == ["bob"]
    bob = door.open(bobs)
    assert [item.id for item in bob.send(ListTokens()).items] == [id_of_token(bobs)]
    for request in (ListTokens(everybody=True), ListTokens(workspace_id=workspace.id)):
        with pytest.raises(Denied):
            bob.send(request)
    with pytest.raises(NotFound, match="no token"):
        bob.send(DeleteToken(token_id=mine.id))
    assert secret_of(bobs) not in repr(ada.send(ListTokens(everybody=True)))


def test_a_token_is_made_known_once(ada):
    secret = new_token()
    request = CreateToken(id=id_of_token(secret), name="laptop", digest=digest_of_token(secret))
    assert ada.send(request) == ada.send(request)
    with pytest.raises(Conflict, match="exists already"):
        ada.send(attrs.evolve(request, digest="0" * 64))
    for wrong in ({"digest": secret}, {"kind": "king"}, {"role": "king"}, {"expires_in_s": -1.0}, {"name": ""}):
        with pytest.raises(InvalidArgument):
            ada.send(attrs.evolve(request, id=new_id(), **wrong))


def test_two_who_come_first_at_once_make_one_service(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        hosts = list(pool.map(lambda _: TenantHost(tmp_path / "service"), range(4)))
    tokens = [host.first_token for host in hosts if host.first_token]
    for host in hosts:
        host.sign_in(tokens[0])
        host.close()
    assert len(tokens) == 1


def test_a_workspace_folder_is_served_as_it_is(tmp_path):
    """What one person began in a folder, a team goes on with."""
    from amlsdk.local import LocalBackend

    backend = LocalBackend(tmp_path / "mine")
    project = make_project(backend.open())
    backend.close()
    host = TenantHost(tmp_path / "mine")
    service = host.service(host.sign_in(host.first_token), None)
    assert service.send(ListProjects()).items == (project,)
    assert service.send(GetWorkspace()).name == "default"
    host.close()
    again = LocalBackend(tmp_path / "mine")
    assert again.open().send(ListProjects()).items == (project,)
    again.close()


def test_a_folder_says_that_it_has_to_be_served(tmp_path):
    from amlsdk.local import LocalBackend

    backend = LocalBackend(tmp_path / "mine")
    with pytest.raises(InvalidArgument, match=r"one workspace of one user; .* `aml serve --root .*mine` serves it"):
        backend.open().send(ListTeams())
    backend.close()
