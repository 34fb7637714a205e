"""Signing in where somebody lies: a provider, a browser, or who only says to be a command."""

import webbrowser

import pytest
import requests
import responses
from openid_crooked import crooked
from openid_provider import Browser
from openid_team import Command, code_in, team
from ports import free_port

from amlsdk.cli.login_openid import sign_in
from amlsdk.errors import Denied, InvalidArgument, Unavailable
from amlsdk.tenancy.openid import OpenId
from amlsdk.tenancy.openid.asking import Issuer


@pytest.fixture
def liar(tmp_path, monkeypatch):
    """A service whose provider lies, and the liar."""
    monkeypatch.setattr(webbrowser, "open", lambda url: Browser("eve").open(url))
    with crooked() as found, team(tmp_path / "service", free_port(), issuer=found.issuer) as service:
        yield service, found


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example.com/",
        "http://evil.example.com:80/",
        "http://127.0.0.1/",
        "http://127.0.0.1:80@evil.example.com/",
        "http://127.0.0.1.evil.example.com:80/",
        "http://localhost:80/",
        "http://127.0.0.1:80/x?next=http://evil.example.com",
        "http://127.0.0.1:80/%0d%0aSet-Cookie:a=b",
        "http://127.0.0.1:80/\r\nSet-Cookie: a=b",
        "//evil.example.com",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_browser_is_sent_to_its_own_machine_only(liar, redirect):
    service, found = liar
    given = {"redirect": redirect, "challenge": Command(service.url).challenge}
    reply = requests.get(f"{service.url}/sign-in/openid", params=given, allow_redirects=False, timeout=30)
    assert (reply.status_code, "its own machine only" in reply.json()["message"]) == (400, True)
    assert found.asked == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("challenge", "short"),
        ("challenge", "a" * 5000),
        ("redirect", ["http://127.0.0.1:9/x", "http://127.0.0.1:9/y"]),
    ],
)
def test_what_a_command_asks_for_is_checked(liar, name, value):
    command = Command(liar[0].url)
    given = {"redirect": command.redirect, "challenge": command.challenge, name: value}
    reply = requests.get(f"{command.url}/sign-in/openid", params=given, allow_redirects=False, timeout=30)
    assert reply.status_code == 400


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"code": 1}', b"x" * 20_000, b'{"code": "a", "more": 1}'])
def test_a_wrong_body_is_refused(liar, body):
    reply = requests.post(f"{liar[0].url}/sign-in/token", data=body, timeout=30)
    assert (reply.status_code, reply.json()["code"]) == (400, "InvalidArgument")


def test_a_token_that_is_none_is_not_made_known(liar):
    command = Command(liar[0].url)
    for wrong in ({"digest": "x"}, {"id": "x"}, {"expires_in_s": "soon"}, {"name": ""}, {"code": 7}):
        code = code_in(Browser("eve").open(command.page, until=command.redirect))
        reply, _ = command.redeem(**{"code": code, **wrong})
        assert reply.status_code == 400, wrong


def test_a_right_answer_of_the_liar_is_believed(liar, monkeypatch):
    """Or the tests of its lies would prove nothing."""
    assert liar[0].caller(sign_in(liar[0].url)).user == "eve@example.com"


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "of another sign-in"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"exp": 1_000_000_000}, "expired"),
        ({"exp": None}, "exp"),
        ({"iat": 9_000_000_000}, "future"),
        ({"aud": "another"}, "aud"),
        ({"aud": ["another", "amlsdk"], "azp": "another"}, "azp"),
        ({"iss": "https://login.example.com"}, "iss"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"at_hash": "of-another-token"}, "at_hash"),
        ({"email_verified": "true"}, "no name for this user"),
        ({"email": "a\nb"}, "printable"),
        ({"email": None}, "no name for this user"),
    ],
)
def test_an_id_token_that_lies_is_not_believed(liar, monkeypatch, claims, said):
    service, found = liar
    found.claims, found.userinfo = claims, {"sub": claims.get("sub", "eve")}
    with pytest.raises((Denied, InvalidArgument), match=said):
        sign_in(service.url)


def test_userinfo_of_somebody_else_is_not_believed(liar, monkeypatch):
    service, found = liar
    found.claims, found.userinfo = {"email": None}, {"sub": "ada", "email": "ada@example.com", "email_verified": True}
    with pytest.raises(Denied, match="somebody else than who signed in"):
        sign_in(service.url)


def test_only_the_issuers_own_signature_counts(liar, monkeypatch):
    service, found = liar
    right = found.key
    found.shown = [right]
    found.key = type(right).generate_key(2048, {"kid": "first"})
    with pytest.raises(Denied, match="bad_signature"):
        sign_in(service.url)
    for secret, alg in ((right.as_pem(private=False), "HS256"), (b"", "none"), (b"", "RS256")):
        found.secret, found.header = secret, {"alg": alg}
        with pytest.raises(Denied, match="can't be believed"):
            sign_in(service.url)


def test_new_keys_of_the_issuer_are_asked_for_but_not_each_time(liar, monkeypatch):
    service, found = liar
    sign_in(service.url)
    found.key = type(found.key).generate_key(2048, {"kid": "second"})
    with pytest.raises(Denied, match="can't be believed"):
        sign_in(service.url)
    assert found.asked.count("/keys") == 1
    monkeypatch.setattr("amlsdk.tenancy.openid.tokens._AT_MOST_EVERY_S", 0.0)
    sign_in(service.url)
    assert found.asked.count("/keys") == 2


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ((400, {"error": "invalid_grant"}), Denied, "refused the sign-in: invalid_grant"),
        ((401, {"error": "invalid_client"}), Denied, "refused the sign-in: invalid_client"),
        ((500, {}), Unavailable, "can't be asked"),
        ((200, ["a list"]), Unavailable, "no answer that can be read"),
        ((200, {"access_token": "only"}), Denied, "gave no ID token"),
        ((200, {"id_token": "a.b.c"}), Denied, "can't be believed"),
    ],
)
def test_what_goes_wrong_at_the_provider_is_told(liar, monkeypatch, answer, kind, said):
    service, found = liar
    found.token = answer
    with pytest.raises(kind, match=said):
        sign_in(service.url)


def test_a_provider_of_another_name_is_not_asked_further(liar):
    service, found = liar
    found.document = {"issuer": "https://login.example.com"}
    reply = requests.get(Command(service.url).page, allow_redirects=False, timeout=30)
    assert (reply.status_code, "calls itself 'https://login.example.com'" in reply.json()["message"]) == (503, True)
    assert found.asked == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    "inner", ["http://169.254.169.254/latest", "https://127.0.0.1/x", "file:///etc/passwd", 7, None]
)
@pytest.mark.parametrize("name", ["token_endpoint", "jwks_uri", "userinfo_endpoint"])
def test_no_document_makes_the_service_ask_inward(name, inner):
    issuer = "https://login.example.com"
    right = {part: f"{issuer}/{part}" for part in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    with responses.RequestsMock() as faults:
        faults.get(f"{issuer}/.well-known/openid-configuration", json={"issuer": issuer, **right, name: inner})
        with pytest.raises(Unavailable, match="which is not asked"):
            Issuer(issuer).says(name)


def test_a_provider_that_redirects_or_floods_is_not_followed():
    issuer = "https://login.example.com"
    place = f"{issuer}/.well-known/openid-configuration"
    for answer in ({"status": 302, "headers": {"Location": "http://169.254.169.254/"}}, {"body": b" " * (2 << 20)}):
        with responses.RequestsMock() as faults:
            faults.get(place, **answer)
            with pytest.raises(Unavailable, match="no answer that can be read"):
                Issuer(issuer).says("jwks_uri")


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://login.example.com"},
        {"issuer": "ftp://127.0.0.1"},
        {"issuer": "login.example.com"},
        {"issuer": "https://user:password@login.example.com"},
        {"issuer": "https://login.example.com?x=y"},
        {"public_url": "http://aml.example.com"},
        {"client_id": ""},
        {"token_days": 0},
    ],
)
def test_settings_that_can_not_be_meant_are_refused(wrong):
    with pytest.raises(InvalidArgument):
        OpenId(**{"issuer": "https://login.example.com", "client_id": "amlsdk", **wrong})


def test_the_secret_is_not_shown():
    assert "hidden" not in repr(OpenId(issuer="https://x.example.com", client_id="a", client_secret="hidden"))
