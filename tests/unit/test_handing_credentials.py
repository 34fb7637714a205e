"""Tokens of processes that work on their own: made, renewed, replaced, revoked."""

import json
import logging

import pytest

from amlsdk.errors import Denied, NotSignedIn
from amlsdk.handing.credentials import EXPIRES_S, Credential, newer_in
from amlsdk.handing.tokens import credential_for, leave_newer
from amlsdk.local import LocalBackend
from amlsdk.operations.projects import CreateProject
from amlsdk.operations.tenancy import CreateMember, GetCaller
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.places import Place
from amlsdk.records.ids import new_id
from amlsdk.remote import RemoteBackend
from amlsdk.server.run import ServerThread
from amlsdk.service import Spool
from amlsdk.tenancy import TenantHost


@pytest.fixture
def host(tmp_path):
    opened = TenantHost(tmp_path / "service")
    yield opened
    opened.close()


@pytest.fixture
def owner(host):
    return host.service(host.sign_in(host.first_token), None)


@pytest.fixture
def place(tmp_path):
    spool = Spool(journals=tmp_path / "spool" / "journals", runs=tmp_path / "spool" / "runs", shipped=True)
    return Place(location="https://aml.example.com", spool=spool, credential="the caller's own")


def signed_in(host, credential):
    return host.service(host.sign_in(credential()), None)


def test_what_works_is_given_no_more_than_it_needs(host, owner, place):
    made = credential_for(owner, place, kind="run", name="runs of local on here" * 20)
    record = signed_in(host, made).send(GetCaller()).token
    assert (record.kind, record.role, record.user) == ("run", "contributor", "owner")
    assert record.workspace_id == owner.send(GetWorkspace()).id
    assert (record.expires_at - record.created_at).total_seconds() == pytest.approx(EXPIRES_S, abs=5)
    assert made() not in repr(made)
    # It works in its workspace, and lets nobody in.
    signed_in(host, made).send(CreateProject(id=new_id(), name="wine"))
    with pytest.raises(Denied, match="needs the role owner"):
        signed_in(host, made).send(CreateMember(resource_id=record.workspace_id, user="eve"))


def test_it_is_renewed_as_it_is_and_revoked_at_the_end(host, owner, place):
    made = credential_for(owner, place, kind="deployment", name="wine")
    service = signed_in(host, made)
    before = service.send(GetCaller()).token.expires_at
    made.tend(service)
    assert service.send(GetCaller()).token.expires_at == before
    made._due = 0
    made.tend(service)
    after = service.send(GetCaller()).token
    assert after.expires_at > before
    made.end(service)
    made.end(service)
    with pytest.raises(NotSignedIn, match="was revoked"):
        signed_in(host, made)


def test_a_renewal_that_fails_is_logged_and_tried_later(host, owner, place, caplog):
    made = credential_for(owner, place, kind="run", name="x")
    made.end(owner)
    made._due = 0
    with caplog.at_level(logging.WARNING, logger="amlsdk"):
        made.tend(owner)
        made.tend(owner)
    assert [record.message for record in caplog.records if "was not renewed" in record.message] == [
        caplog.records[0].message
    ]


def test_a_newer_one_is_taken_where_it_was_left(host, owner, place):
    made = credential_for(owner, place, kind="run", name="x")
    assert made.look_for_newer() is False
    leave_newer(owner, place.spool, kind="run")
    file = newer_in(place.spool.runs)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["token"]
    assert made.look_for_newer() is True
    assert made.look_for_newer() is False
    service = signed_in(host, made)
    before = service.send(GetCaller()).token.expires_at
    made._due = 0
    made.tend(service)
    assert service.send(GetCaller()).token.expires_at > before
    # Others may have taken it as well.
    made.end(service)
    assert service.send(GetCaller()).token.kind == "run"
    file.write_bytes(b"\xff no token")
    assert made.look_for_newer() is False


def test_one_is_handed_on_through_a_pipe(owner, place):
    made = credential_for(owner, place, kind="run", name="x")
    message = json.loads(json.dumps({**place.to_message(), **made.to_message()}))
    heard = Credential.of(message)
    assert (heard(), heard.is_own, heard.newer) == (made(), True, newer_in(place.spool.runs))
    # As clients of an earlier version wrote it.
    message.pop("is_own")
    assert Credential.of(message).is_own is False


def test_a_folder_needs_none(tmp_path):
    backend = LocalBackend(tmp_path / "workspace")
    found = credential_for(backend.open(), Place(location=backend.location, spool=backend.spool), kind="run", name="x")
    assert (found.text, found.source, found.is_own) == (None, None, False)
    backend.close()


def test_where_one_token_is_all_there_is_it_is_handed_on(tmp_path, place):
    backend = LocalBackend(tmp_path / "workspace")
    with ServerThread(backend.open()) as server:
        remote = RemoteBackend(server.url, token=server.token)
        found = credential_for(remote.open(), place, kind="run", name="x")
        assert (found(), found.is_own) == ("the caller's own", False)
        found.end(remote.open())
        remote.close()
    backend.close()
