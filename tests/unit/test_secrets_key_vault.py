"""Secrets in Azure Key Vault, by the answers that its REST API documents (api-version 7.x)."""

import json
import re
import time
from types import SimpleNamespace

import pytest
import requests
import responses
from azure.core.credentials import AccessToken
from hypothesis import given
from hypothesis import strategies as st

from amlsdk.errors import InvalidArgument, MissingDependency, NotFound, Unavailable
from amlsdk.records.ids import new_id
from amlsdk.storage.secrets.key_vault import KeyVaultSecrets, vault_name
from amlsdk.storage.secrets.opening import open_secrets

VAULT = "https://team.vault.azure.net"
WORKSPACE = "01h455vb4pex5vsknk084sn02q"
AT = f"{VAULT}/secrets/aml-{WORKSPACE}-db--password"
DELETED = f"{VAULT}/deletedsecrets/aml-{WORKSPACE}-db--password"
CHALLENGE = 'Bearer authorization="https://login.microsoftonline.com/tenant", resource="https://vault.azure.net"'
KEPT = {"id": f"{AT}/1", "value": "hunter2", "attributes": {"enabled": True}}
IN_THE_WAY = {
    "error": {
        "code": "Conflict",
        "message": "Secret is currently in a deleted but recoverable state, and its name cannot be reused",
        "innererror": {"code": "ObjectIsDeletedButRecoverable"},
    }
}


@pytest.fixture
def net():
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def vault(net):
    """A vault that asks who comes, as each does at first."""
    net.add(responses.GET, re.compile(f"{VAULT}/secrets/who"), status=401, headers={"WWW-Authenticate": CHALLENGE})
    asked = []

    def get_token(*scopes, **_):
        asked.append(scopes)
        return AccessToken("a token of Azure", int(time.time()) + 3600)

    store = KeyVaultSecrets(VAULT, WORKSPACE, credential=SimpleNamespace(get_token=get_token))
    net.add(responses.GET, re.compile(f"{VAULT}/secrets/who"), json=KEPT)
    store._client.get_secret("who")
    assert set(asked) == {("https://vault.azure.net/.default",)}
    return store


def refused(status, code, **headers):
    return {
        "status": status,
        "json": {"error": {"code": code, "message": f"{code}: see the vault"}},
        "headers": headers,
    }


def test_a_value_is_set_and_read(net, vault):
    net.add(responses.PUT, re.compile(AT), json=KEPT)
    net.add(responses.GET, re.compile(AT), json=KEPT)
    assert vault.seal("db-password", "hunter2") is None
    assert vault.open("db-password", None) == "hunter2"
    sent = next(call.request for call in net.calls if call.request.method == "PUT")
    assert json.loads(sent.body)["value"] == "hunter2"
    assert sent.headers["Authorization"] == "Bearer a token of Azure"


def test_a_name_that_was_deleted_is_recovered_and_set(net, vault):
    net.add(responses.PUT, re.compile(AT), status=409, json=IN_THE_WAY)
    net.add(responses.POST, re.compile(f"{DELETED}/recover"), json={"id": f"{AT}/1", "attributes": {"enabled": True}})
    net.add(responses.GET, re.compile(AT), json=KEPT)
    net.add(responses.PUT, re.compile(AT), json=KEPT)
    vault.seal("db-password", "hunter2")
    assert [call.request.method for call in net.calls][-4:] == ["PUT", "POST", "GET", "PUT"]


def test_another_conflict_is_told(net, vault):
    being = {"error": {"code": "Conflict", "message": "it is", "innererror": {"code": "ObjectIsBeingDeleted"}}}
    net.add(responses.PUT, re.compile(AT), status=409, json=being)
    with pytest.raises(Unavailable, match=r"did not take or give 'db-password': status 409"):
        vault.seal("db-password", "hunter2")


def test_a_secret_is_deleted_and_an_absent_one_is_no_error(net, vault):
    gone = {"id": f"{AT}/1", "recoveryId": DELETED, "attributes": {"enabled": True}}
    net.add(responses.DELETE, re.compile(AT), json=gone)
    net.add(responses.DELETE, re.compile(AT), **refused(404, "SecretNotFound"))
    vault.forget("db-password")
    vault.forget("db-password")


def test_a_secret_that_the_vault_has_not_is_not_found(net, vault):
    net.add(responses.GET, re.compile(AT), **refused(404, "SecretNotFound"))
    with pytest.raises(NotFound, match="the key vault https://team.vault.azure.net has no secret 'db-password'"):
        vault.open("db-password", None)


@pytest.mark.parametrize("status", [401, 403])
def test_a_vault_that_refuses_says_so_and_shows_no_value(net, vault, status):
    net.add(responses.PUT, re.compile(AT), **refused(status, "Forbidden"))
    with pytest.raises(Unavailable, match=f"status {status}: .*Forbidden") as caught:
        vault.seal("db-password", "hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_busy_vault_is_asked_again_when_it_says(net, vault, monkeypatch):
    pauses = []
    monkeypatch.setattr(vault._client._client._client._pipeline._transport, "sleep", pauses.append)
    net.add(responses.GET, re.compile(AT), **refused(429, "Throttled", **{"Retry-After": "7"}))
    net.add(responses.GET, re.compile(AT), json=KEPT)
    assert vault.open("db-password", None) == "hunter2"
    assert pauses == [7.0]


def test_a_vault_that_can_not_be_reached_is_unavailable(net, vault, monkeypatch):
    monkeypatch.setattr(vault._client._client._client._pipeline._transport, "sleep", lambda _: None)
    net.add(responses.GET, re.compile(AT), body=requests.ConnectionError("no route"))
    with pytest.raises(Unavailable, match="no route"):
        vault.open("db-password", None)


@pytest.mark.parametrize("url", ["http://team.vault.azure.net", "https://", "https://a/b", "https://a?b=c"])
def test_what_is_no_vault_is_refused(url):
    with pytest.raises(InvalidArgument, match="is no URL of a key vault"):
        KeyVaultSecrets(url, WORKSPACE)


def test_a_store_is_found_by_its_url():
    assert isinstance(open_secrets(VAULT, workspace_id=WORKSPACE), KeyVaultSecrets)
    for url in ("ftp://x", "team"):
        with pytest.raises(InvalidArgument, match=r"names no place for secrets; there are https://\.\.\."):
            open_secrets(url, workspace_id=WORKSPACE)


def test_without_its_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "azure.keyvault.secrets", None)
    with pytest.raises(MissingDependency, match=r"pip install 'amlsdk\[azure\]'"):
        KeyVaultSecrets(VAULT, WORKSPACE)


NAMES = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,125}[A-Za-z0-9])?", fullmatch=True)


@given(first=NAMES, second=NAMES)
def test_different_secrets_have_different_names_that_a_vault_takes(first, second):
    names = [vault_name(new_id(), name) for name in (first, second)]
    assert all(re.fullmatch("[a-z0-9-]{1,127}", name) for name in names)
    assert names[0] != names[1]
    same = [vault_name(WORKSPACE, name) for name in (first, second)]
    assert (same[0] == same[1]) == (first == second)


@pytest.mark.parametrize(("first", "second"), [("a-b", "a_b"), ("AB", "ab"), ("a-ub", "a_b"), ("a-cb", "aB")])
def test_what_a_vault_takes_for_the_same_is_told_apart(first, second):
    assert vault_name(WORKSPACE, first) != vault_name(WORKSPACE, second)
