"""How a service is reached: tokens that are renewed, proxies, certificates, names."""

import datetime as dt
import http.server
import ipaddress
import ssl
import threading

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from serving import WORKSPACE, Answering, serving

import amlsdk
from amlsdk.errors import InvalidArgument, NotSignedIn, Unavailable
from amlsdk.logins import Logins
from amlsdk.operations import TABLE
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.remote import RemoteBackend
from amlsdk.server.run import ServerThread
from amlsdk.wire import encode_reply

GOOD = encode_reply(TABLE[GetWorkspace], WORKSPACE)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers everything with the workspace, and keeps what was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.heard.append((self.path, dict(self.headers)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(GOOD)))
        self.end_headers()
        self.wfile.write(GOOD)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def plain():
    """A server that keeps what it heard, as `heard`; with `tls` it speaks HTTPS."""
    started = []

    def start(tls=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.heard, server.daemon_threads = [], True
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        started.append((server, thread))
        server.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 that nobody knows, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ("AMLSDK_TOKEN", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def asked(url, **settings):
    backend = RemoteBackend(url, deadline_s=0.0, **settings)
    try:
        return backend.open().send(GetWorkspace())
    finally:
        backend.close()


def test_a_function_is_asked_for_another_token_after_a_refusal():
    """Once: a second refusal is meant."""
    with ServerThread(Answering()) as server:
        tokens = iter(["expired", "expired", server.token])
        with pytest.raises(NotSignedIn):
            asked(server.url, token=lambda: "expired")
        assert asked(server.url, token=iter(["expired", server.token, server.token]).__next__) == WORKSPACE
        with pytest.raises(NotSignedIn):
            asked(server.url, token=lambda: next(tokens))


def test_a_refused_token_is_not_tried_again():
    with ServerThread(Answering()) as server:
        backend = RemoteBackend(server.url, token="aml_wrong", deadline_s=600.0)
        with pytest.raises(NotSignedIn):
            backend.open().send(GetWorkspace())
        backend.close()


def test_a_kept_token_is_found_and_another_login_is_noticed_without_connecting_again():
    with ServerThread(Answering()) as server:
        Logins().keep(server.url, "aml_old")
        backend = RemoteBackend(server.url)
        with pytest.raises(NotSignedIn):
            backend.open().send(GetWorkspace())
        Logins().keep(f"{server.url}/", server.token)
        assert backend.open().send(GetWorkspace()) == WORKSPACE
        Logins().forget(server.url)
        with pytest.raises(NotSignedIn, match="nobody is signed in to http://127"):
            backend.open().send(GetWorkspace())
        backend.close()


def test_a_token_is_found_by_origin_and_path():
    """Never for a host whose name only begins like that of another."""
    logins = Logins()
    logins.keep("https://aml.example.com", "all")
    logins.keep("https://AML.example.com:443/w/vision", "one")
    found = {
        "https://aml.example.com/w/wine": "all",
        "https://aml.example.com/w/vision": "one",
        "https://aml.example.com/w/vision2": "all",
        "https://aml.example.com.evil.org": None,
        "https://aml.example.com:8443": None,
        "http://aml.example.com": None,
    }
    assert {url: logins.find(url) for url in found} == found


def test_the_file_of_tokens_is_for_its_user_only(home):
    where = Logins().keep("https://aml.example.com", "aml_topsecret")
    file = home / "credentials.json"
    assert where == str(file)
    assert (file.stat().st_mode & 0o777, home.stat().st_mode & 0o777) == (0o600, 0o700)
    assert Logins().forget("https://aml.example.com")
    assert not Logins().forget("https://aml.example.com")
    assert b"topsecret" not in file.read_bytes()


def test_a_damaged_file_of_tokens_says_what_to_do(home):
    home.mkdir()
    (home / "credentials.json").write_text("{")
    with pytest.raises(Unavailable, match=r"credentials\.json can't be read .* `aml login`"):
        RemoteBackend("https://aml.example.com")


def test_who_asks_is_told(plain):
    server = plain()
    asked(server.url)
    asked(server.url, user_agent="sweeper/2.1")
    with requests.Session() as session:
        asked(server.url, session=session)
        session.headers["User-Agent"] = "team/1"
        asked(server.url, session=session)
    own, named, of_requests, of_session = (headers["User-Agent"] for _, headers in server.heard)
    assert own.startswith("amlsdk/")
    assert "(python 3." in own
    assert (named, of_requests, of_session) == (f"sweeper/2.1 {own}", own, f"team/1 {own}")


def test_a_proxy_of_the_environment_is_asked_for_other_machines(plain, monkeypatch):
    proxy = plain()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    assert asked("http://aml.invalid/team") == WORKSPACE
    assert proxy.heard[0][0] == "http://aml.invalid/team/v1/workspace"
    monkeypatch.setenv("NO_PROXY", "aml.invalid")
    with pytest.raises(Unavailable, match="can't be resolved"):
        asked("http://aml.invalid/team")


def test_a_certificate_has_to_be_trusted(plain, certificate, monkeypatch):
    server = plain(tls=certificate)
    with pytest.raises(Unavailable, match=r"session\.verify"):
        asked(server.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate[0])
    assert asked(server.url) == WORKSPACE


def test_a_service_that_speaks_no_tls_is_said_to_speak_none(plain):
    url = plain().url.replace("http://", "https://")
    with pytest.raises(Unavailable, match=f"^{url} does not speak TLS; if that is right, its URL begins with http://"):
        asked(url)


def test_what_a_session_trusts_beats_the_environment(plain, certificate, monkeypatch):
    server = plain(tls=certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", requests.certs.where())
    with requests.Session() as session:
        session.verify = certificate[0]
        assert asked(server.url, session=session) == WORKSPACE


def test_patience_with_a_service_is_a_setting():
    with serving() as server:
        config = amlsdk.Config(timeout_s=7, retry_s=0.0, user_agent="sweeper/2.1")
        with amlsdk.connect(server.url, token="t", config=config) as workspace:
            assert workspace.name == "wine"
            url = server.url
    with pytest.raises(Unavailable, match="was tried once in 0 s"):
        amlsdk.connect(url, token="t", config=config)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"timeout_s": 0}, "seconds above 0, not int 0"),
        ({"timeout_s": "1"}, "seconds above 0, not str '1'"),
        ({"retry_s": -1}, "0 or more seconds, not int -1"),
        ({"retry_s": True}, "0 or more seconds, not True"),
        ({"user_agent": "a\nb"}, "printable ASCII text"),
        ({"user_agent": ""}, "printable ASCII text"),
    ],
)
def test_settings_that_can_not_be_meant_are_refused(wrong, said):
    with pytest.raises(InvalidArgument, match=said):
        amlsdk.Config(**wrong)
