"""Signing in with a provider of OpenID Connect: a real one on loopback, and a browser that fills in its pages."""

import json
import subprocess
import sys
import threading
import webbrowser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from openid_crooked import crooked
from openid_provider import Browser, provider, why_not
from openid_team import Command, code_in, team
from ports import free_port
from served import AML, serving

import amlsdk
from amlsdk.cli.login_openid import has_openid, sign_in
from amlsdk.errors import Denied, NotFound, NotSignedIn, Unavailable
from amlsdk.server.run import ServerThread
from amlsdk.tenancy import TenantHost

needs_node = pytest.mark.skipif(bool(why_not()), reason=str(why_not()))
PEOPLE = {
    "ada": {"email": "Ada@example.com", "email_verified": True, "preferred_username": "ada"},
    "bob": {"email": "ada@example.com", "email_verified": False, "preferred_username": "bob"},
    "cleo": {"email": "ada@example.com", "email_verified": True},
}
BROWSER = """
import sys
sys.path.insert(0, {tests!r})
from openid_provider import Browser
sys.exit(Browser({subject!r}).open(sys.argv[1]).status_code != 200)
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    port, root = free_port(), tmp_path_factory.mktemp("openid") / "service"
    callback = f"http://127.0.0.1:{port}/sign-in/openid/callback"
    with provider(callback, PEOPLE) as issuer, team(root, port, issuer=issuer) as found:
        yield found


def by(monkeypatch, subject):
    """Let a browser be opened before which somebody sits."""
    monkeypatch.setattr(webbrowser, "open", lambda url: Browser(subject).open(url))


@needs_node
def test_aml_login_signs_in_by_a_browser(tmp_path, monkeypatch):
    """From the command line to the command line: a secret at the provider, a browser, a token in a file."""
    port = free_port()
    callback = f"http://127.0.0.1:{port}/sign-in/openid/callback"
    script = tmp_path / "browser.py"
    script.write_text(BROWSER.format(tests=str(Path(__file__).parent.parent), subject="ada"))
    for name, value in {"AMLSDK_HOME": str(tmp_path / "home"), "BROWSER": f"{sys.executable} {script} %s"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    secret = {"AMLSDK_SERVE_OPENID_CLIENT_SECRET": "of-the-service"}
    with provider(callback, PEOPLE, client_secret="of-the-service") as issuer:
        options = ("--port", str(port), "--openid-issuer", issuer, "--openid-client-id", "amlsdk")
        with serving(tmp_path / "service", *options, env=secret) as served:
            with served.connect() as workspace:
                workspace.members.create("ada@example.com", role="contributor")
            done = subprocess.run([*AML, "login", served.url, "--json"], capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["user"] == "ada@example.com"
            with amlsdk.connect(served.url) as workspace:
                assert workspace.projects.create("wine").name == "wine"
            assert "of-the-service" not in served.said()


@needs_node
def test_who_signs_in_is_a_member_of_nothing_until_somebody_lets_them_in(real, monkeypatch):
    by(monkeypatch, "ada")
    assert has_openid(real.url)
    assert has_openid(f"{real.url}/w/default")
    token = sign_in(f"{real.url}/w/default")
    caller = real.caller(token)
    assert (caller.user, caller.role) == ("ada@example.com", None)
    assert 89 < (caller.token.expires_at - caller.token.created_at).days <= 90
    with pytest.raises(NotFound):
        amlsdk.connect(real.url, token=token)
    with amlsdk.connect(real.url, token=real.owner) as workspace:
        assert workspace.subscription.record.sign_in == "openid"
        workspace.members.create("ada@example.com", role="reader")
    with amlsdk.connect(real.url, token=token) as workspace, pytest.raises(Denied):
        workspace.projects.create("wine")
    again = real.caller(sign_in(real.url))
    assert (again.user_id, again.token.id != caller.token.id) == (caller.user_id, True)


@needs_node
@pytest.mark.parametrize(
    ("subject", "said"),
    [("bob", "no name for this user that can be believed"), (None, "did not sign in: access_denied")],
)
def test_who_is_not_let_in_is_told_why(real, monkeypatch, subject, said):
    by(monkeypatch, subject)
    with pytest.raises(Denied, match=said):
        sign_in(real.url)


@needs_node
def test_a_name_is_not_taken_over_by_another_subject(real, monkeypatch):
    by(monkeypatch, "ada")
    sign_in(real.url)
    by(monkeypatch, "cleo")
    with pytest.raises(Denied, match=r"'ada@example.com' is somebody else to http://127"):
        sign_in(real.url)


@needs_node
def test_another_claim_may_name_users(tmp_path, monkeypatch):
    port = free_port()
    with (
        provider(f"http://127.0.0.1:{port}/sign-in/openid/callback", PEOPLE) as issuer,
        team(tmp_path / "service", port, issuer=issuer, user_claim="preferred_username", token_days=1) as found,
    ):
        by(monkeypatch, "bob")
        caller = found.caller(sign_in(found.url))
    assert caller.user == "bob"
    assert (caller.token.expires_at - caller.token.created_at).total_seconds() == pytest.approx(86_400, abs=1)


@needs_node
def test_each_step_is_taken_once_and_by_who_began(real):
    command, browser = Command(real.url), Browser("ada")
    callback = browser.open(command.page, until=f"{real.url}/sign-in/openid/callback")
    assert "of this browser" in requests.get(callback, timeout=30).json()["message"]
    # A stranger's attempt has spent it; that is what whoever began is told.
    assert browser.session.get(callback, timeout=30).status_code == 400
    place = browser.open(command.page, until=command.redirect)
    stolen, _ = Command(real.url).redeem(code_in(place))
    assert (stolen.status_code, stolen.json()["code"]) == (401, "NotSignedIn")
    assert command.redeem(code_in(place))[0].status_code == 401
    last = browser.open(command.page, until=f"{real.url}/sign-in/openid/callback")
    place = browser.open(last, until=command.redirect)
    assert browser.session.get(last, allow_redirects=False, timeout=30).status_code == 400
    reply, token = command.redeem(code_in(place))
    assert (reply.status_code, reply.json()["user"]) == (200, "ada@example.com")
    assert command.redeem(code_in(place))[0].status_code == 401
    assert real.caller(token).token.name == "x"


@needs_node
def test_a_sign_in_goes_on_at_another_process_of_the_service(real):
    """The state of it is in the directory, where a backup shows nothing that could be used."""
    command, browser = Command(real.url), Browser("ada")
    callback = browser.open(command.page, until=f"{real.url}/sign-in/openid/callback")
    with team(real.host.root, 0, issuer=real.host.by_browser.settings.issuer) as second:
        place = browser.open(callback.replace(real.url, second.url), until=command.redirect)
        kept = b"".join(path.read_bytes() for path in real.host.root.glob("service.sqlite*"))
        assert code_in(place).encode() not in kept
        assert command.redeem(code_in(place))[0].status_code == 200


def test_a_service_without_a_provider_says_so(tmp_path):
    host = TenantHost(tmp_path / "service")
    with ServerThread(host) as server:
        assert not has_openid(server.url)
        for path in ("", "/openid", "/openid/callback"):
            reply = requests.get(f"{server.url}/sign-in{path}", timeout=30)
            assert (reply.status_code, reply.json()["code"]) == (404, "NotFound")
        assert requests.post(f"{server.url}/sign-in/token", json={}, timeout=30).status_code == 404
    host.close()


@pytest.fixture
def service(tmp_path):
    """A service whose provider is no real one."""
    with crooked() as found, team(tmp_path / "service", free_port(), issuer=found.issuer) as service:
        yield service


def test_who_does_not_come_back_is_not_waited_for_for_ever(service, monkeypatch):
    opened = threading.Event()
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.set())
    with pytest.raises(Unavailable, match="nobody signed in within 0 s"):
        sign_in(service.url, timeout_s=0.2)
    assert opened.wait(10)


def test_other_pages_do_not_disturb_a_command_that_listens(service, monkeypatch):
    """Whoever does not know the path is told that there is nothing; and another's code opens nothing."""
    said = []

    def browse(url):
        redirect = parse_qs(urlsplit(url).query)["redirect"][0]
        said.append(requests.get(f"{redirect.rpartition('/')[0]}/favicon.ico?code=x", timeout=30).status_code)
        said.append(requests.get(f"{redirect}?code=anothers", timeout=30).text)

    monkeypatch.setattr(webbrowser, "open", browse)
    with pytest.raises(NotSignedIn, match="opens nothing"):
        sign_in(service.url)
    assert said[0] == 404
