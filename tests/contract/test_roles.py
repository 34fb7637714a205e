"""Every operation, by every role, on one's own and on a foreign place: the whole matrix, made from the table."""

import typing

import attrs
import pytest
from making import make_project
from test_alike import plain

from amlsdk.errors import AmlError, Denied, NotFound
from amlsdk.operations import CALLER, SUBSCRIPTION, TABLE, Role
from amlsdk.operations.tenancy import (
    CreateMember,
    CreateTeam,
    CreateToken,
    CreateWorkspace,
    GetSubscription,
)
from amlsdk.records.ids import new_id
from amlsdk.records.tokens import digest_of_token, id_of_token, new_token
from amlsdk.tenancy import TenantHost

ROLES = ("reader", "contributor", "owner")
PLACES = ("workspace", "team", "subscription")


class World:
    """A subscription of two teams with a workspace each; by place and role, a user who has that role there only."""

    def __init__(self, host):
        self.host = host
        self.first = host.sign_in(host.first_token)
        self.service = host.service(self.first, None)
        self.subscription = self.service.send(GetSubscription()).id
        self.own, self.own_team = self.place("own")
        self.foreign, self.foreign_team = self.place("foreign")
        self.users = {
            (place, role): self.user(f"{place}-{role}", {"workspace": self.own, "team": self.own_team}.get(place), role)
            for place in PLACES
            for role in ROLES
        }

    def place(self, name):
        team = self.service.send(CreateTeam(id=new_id(), name=name))
        workspace = self.service.send(CreateWorkspace(id=new_id(), team_id=team.id, name=name))
        # It can't be deleted while it holds something, so that the operation that would do so may be tried.
        make_project(self.host.service(self.first, workspace.id))
        return workspace.id, team.id

    def user(self, name, resource_id, role):
        self.service.send(CreateMember(resource_id=resource_id or self.subscription, user=name, role=role))
        token = new_token()
        self.service.send(CreateToken(id=id_of_token(token), name=name, digest=digest_of_token(token), user=name))
        return self.host.sign_in(token)

    def role_of(self, user, resource):
        """The role that the user of a place and a role has in one of the five resources, by the rule of inheritance."""
        place, role = user
        own = {
            "workspace": (self.own,),
            "team": (self.own, self.own_team),
            "subscription": (self.own, self.own_team, self.foreign, self.foreign_team, self.subscription),
        }[place]
        return Role[role.upper()] if resource in own else None

    def state(self):
        """All that the directory and the workspaces hold."""
        found = []
        databases = [self.host.directory.database]
        databases += [self.host.estate.local(each, each, None).database for each in (self.own, self.foreign)]
        for database in databases:
            with database.read() as connection:
                raw = connection.connection.driver_connection
                found.append([line for line in raw.iterdump() if "last_used_at" not in line])
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    host = TenantHost(tmp_path_factory.mktemp("service"))
    yield World(host)
    host.close()


def request_of(cls, **given):
    attrs.resolve_types(cls)
    fields = {f.name: plain(f.type) for f in attrs.fields(cls) if f.default is attrs.NOTHING}
    return cls(**fields | {name: value for name, value in given.items() if name in attrs.fields_dict(cls)})


def outcome(service, request):
    try:
        return service.send(request)
    except AmlError as error:
        return error


def is_refusal(found, operation):
    return type(found) is Denied and f"{operation.name} needs the role" in str(found)


def resource_named(operation, world, near):
    """The resource on which an operation of the directory is tried: one's own or a foreign one."""
    if operation.on == "team_id":
        return world.own_team if near else world.foreign_team
    return world.own if near else world.foreign


WITHIN = [cls for cls, operation in TABLE.items() if operation.on is None]
NAMED = [cls for cls, operation in TABLE.items() if operation.on not in (None, CALLER, SUBSCRIPTION)]
OF_SUBSCRIPTION = [cls for cls, operation in TABLE.items() if operation.on == SUBSCRIPTION]
OF_CALLER = [cls for cls, operation in TABLE.items() if operation.on == CALLER]


def test_the_matrix_leaves_no_operation_out():
    assert {*WITHIN, *NAMED, *OF_SUBSCRIPTION, *OF_CALLER} == set(TABLE)
    assert all(operation.role > Role.NONE for operation in TABLE.values())


@pytest.mark.parametrize("near", [True, False], ids=["own", "foreign"])
@pytest.mark.parametrize("cls", WITHIN, ids=lambda cls: cls.__name__)
def test_an_operation_in_a_workspace(world, cls, near):
    """Reader, contributor and owner of the workspace, its team and the subscription; elsewhere it is not even there."""
    operation, place = TABLE[cls], world.own if near else world.foreign
    for user, principal in world.users.items():
        role, before = world.role_of(user, place), world.state()
        found = outcome(world.host.service(principal, place), request_of(cls))
        if role is None:
            assert type(found) is NotFound, user
            assert "no workspace" in str(found)
        else:
            assert is_refusal(found, operation) is (role < operation.role), (user, found)
        if role is None or role < operation.role:
            assert world.state() == before


@pytest.mark.parametrize("near", [True, False], ids=["own", "foreign"])
@pytest.mark.parametrize("cls", NAMED, ids=lambda cls: cls.__name__)
def test_an_operation_on_a_team_or_a_workspace_that_is_named(world, cls, near):
    operation = TABLE[cls]
    place = resource_named(operation, world, near)
    for user, principal in world.users.items():
        role, before = world.role_of(user, place), world.state()
        request = request_of(cls, **{operation.on: place, "role": "reader"})
        found = outcome(world.host.service(principal, None), request)
        if role is None:
            assert type(found) is NotFound, (user, found)
        else:
            assert is_refusal(found, operation) is (role < operation.role), (user, found)
        if role is None or role < operation.role:
            assert world.state() == before


@pytest.mark.parametrize("cls", OF_SUBSCRIPTION, ids=lambda cls: cls.__name__)
def test_an_operation_on_the_subscription(world, cls):
    operation = TABLE[cls]
    for user, principal in world.users.items():
        role, before = world.role_of(user, world.subscription) or Role.NONE, world.state()
        found = outcome(world.host.service(principal, None), request_of(cls))
        assert is_refusal(found, operation) is (role < operation.role), (user, found)
        if role < operation.role:
            assert world.state() == before


@pytest.mark.parametrize("cls", OF_CALLER, ids=lambda cls: cls.__name__)
def test_an_operation_of_whoever_is_signed_in(world, cls):
    """It is refused to nobody for their role; what it answers is about what they may see."""
    for user, principal in world.users.items():
        found = outcome(world.host.service(principal, None), request_of(cls))
        assert not is_refusal(found, TABLE[cls]), user
        shown = {getattr(item, "name", None) for item in getattr(found, "items", ())}
        assert ("foreign" in shown) <= (user[0] == "subscription"), (user, shown)


@pytest.mark.parametrize("cap", ROLES)
@pytest.mark.parametrize("cls", WITHIN, ids=lambda cls: cls.__name__)
def test_a_token_may_do_less_than_its_user(world, cls, cap):
    """An owner who shows a token that was made for less may do no more than that."""
    principal = attrs.evolve(world.users["workspace", "owner"], role=Role[cap.upper()])
    found = outcome(world.host.service(principal, world.own), request_of(cls))
    assert is_refusal(found, TABLE[cls]) is (Role[cap.upper()] < TABLE[cls].role)


@pytest.mark.parametrize("cls", [*WITHIN, *NAMED, *OF_SUBSCRIPTION], ids=lambda cls: cls.__name__)
def test_a_token_of_one_workspace_opens_no_other_place(world, cls):
    """Also where its user is an owner of everything."""
    operation, scoped = TABLE[cls], attrs.evolve(world.users["subscription", "owner"], workspace_id=world.own)
    elsewhere = {operation.on: resource_named(operation, world, False)} if operation.on else {}
    before = world.state()
    found = outcome(world.host.service(scoped, world.foreign), request_of(cls, **elsewhere, role="reader"))
    assert isinstance(found, NotFound) or is_refusal(found, operation), found
    assert world.state() == before


def test_the_classes_are_those_of_the_matrix():
    """A field that names a resource is a text, so that the matrix can fill it in."""
    for cls in NAMED:
        kind = typing.get_type_hints(cls)[TABLE[cls].on]
        assert kind is str
