"""`aml serve`: begun, used, ended, several over one folder."""

import datetime as dt
import hashlib
import ipaddress
import json
import signal
import socket
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from raw_client import ask, until
from served import AML, serving

import amlsdk
from amlsdk.cli.serve import serve
from amlsdk.errors import NotSignedIn
from amlsdk.records.ids import new_id
from amlsdk.records.tokens import id_of_token, new_token


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """What clients keep is kept in the test's own folder."""
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "client"))


def command(*options, **env):
    return subprocess.run([*AML, "serve", *options], capture_output=True, text=True, timeout=60, env=env or None)


def test_the_first_start_shows_a_token_and_no_later_one(tmp_path):
    root = tmp_path / "root"
    with serving(root, "--owner", "ada") as served:
        with served.connect() as ws:
            assert ws.name == "default"
            run = ws.projects.create("p").experiments.create("e").start_run()
            run.log("loss", 0.5)
            run.complete()
            assert run.metrics == {"loss": 0.5}
        with pytest.raises(NotSignedIn), amlsdk.connect(served.url, token=new_token()) as ws:
            _ = ws.name
        token = served.token
        assert served.end() == 0
        assert token not in served.said()
    for file in root.rglob("*"):
        assert not file.is_file() or token.encode() not in file.read_bytes()
    with serving(root) as again:
        assert again.token is None
        with again.connect(token) as ws:
            assert [each.name for each in ws.projects] == ["p"]
            assert next(iter(ws.projects["p"].experiments["e"].runs)).metrics == {"loss": 0.5}


def test_people_are_told_how_to_go_on(tmp_path):
    root = tmp_path / "root"
    running = subprocess.Popen([*AML, "serve", "--port", "0", "--root", root], stdout=subprocess.PIPE, text=True)
    try:
        first = running.stdout.readline()
        url = first.split()[1]
        assert first == f"serving {url} from {root}\n"
        running.send_signal(signal.SIGTERM)
        rest = running.stdout.read()
        assert running.wait(timeout=60) == 0
    finally:
        running.kill()
        running.wait()
        running.stdout.close()
    assert "shown only now" in rest
    assert f"aml login {url}" in rest
    assert f"amlsdk.connect({url!r})" in rest


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_end_answers_who_waits(tmp_path, how):
    """With what there is; nothing goes wrong for the client, and the exit code is 0."""
    with serving(tmp_path / "root") as served, ThreadPoolExecutor(3) as pool:
        with served.connect() as ws:
            experiment = ws.projects.create("p").experiments.create("e")
        body = json.dumps({"id": new_id(), "experiment_id": experiment.id})
        run = ask(served, "POST", "/v1/runs", body, token=served.token, Content_Type="application/json")[2]
        path = f"/v1/runs/{run['id']}?wait_s=60"
        waiting = [pool.submit(ask, served, "GET", path, token=served.token) for _ in range(3)]
        until(lambda: waiting_requests(served) == 3)
        begun = time.monotonic()
        assert served.end(how) == 0
        assert time.monotonic() - begun < 8
        assert [(one.result()[0], one.result()[2]["status"]) for one in waiting] == [(200, "Running")] * 3


def waiting_requests(served):
    text = ask(served, "GET", "/metrics")[2].decode()
    return float(next(line for line in text.splitlines() if line.startswith("amlsdk_requests_waiting ")).split()[1])


def test_an_upload_comes_to_its_end(tmp_path):
    """Also where the end is asked for in its midst."""
    content = b"x" * 1_000_000
    digest = hashlib.sha256(content).hexdigest()
    with serving(tmp_path / "root") as served, half_sent(served, f"/v1/blobs/{digest}", content) as connection:
        served.process.send_signal(signal.SIGTERM)
        until(lambda: not is_open(served))
        connection.send(content[500_000:])
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"{}")
        assert served.process.wait(timeout=30) == 0
    with serving(tmp_path / "root") as again:
        stored = ask(again, "GET", f"/v1/blobs/{digest}", token=served.token)[2]
        assert hashlib.sha256(stored).hexdigest() == digest


def test_an_upload_that_does_not_come_to_its_end_is_not_waited_for(tmp_path):
    content = b"x" * 1_000_000
    digest = hashlib.sha256(content).hexdigest()
    with (
        serving(tmp_path / "root", "--grace", "0.5") as served,
        half_sent(served, f"/v1/blobs/{digest}", content),
    ):
        begun = time.monotonic()
        assert served.end() == 0
        assert time.monotonic() - begun < 8


class half_sent:  # noqa: N801  # used as a function
    """A connection by which half of a body was sent, and has come."""

    def __init__(self, served, path, content):
        self._connection = HTTPConnection(urlsplit(served.url).netloc, timeout=30)
        self._connection.putrequest("PUT", path)
        self._connection.putheader("Authorization", f"Bearer {served.token}")
        self._connection.putheader("Content-Type", "application/octet-stream")
        self._connection.putheader("Content-Length", str(len(content)))
        self._connection.endheaders()
        self._connection.send(content[: len(content) // 2])
        # The request is being answered beside the one that asks.
        until(lambda: "amlsdk_requests_in_flight 2\n" in ask(served, "GET", "/metrics")[2].decode())

    def __enter__(self):
        return self._connection

    def __exit__(self, *error):
        self._connection.close()


def is_open(served):
    parts = urlsplit(served.url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_taken_port_is_one_line_and_leaves_nothing(tmp_path):
    """No service is made whose token nobody saw."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = command("--port", str(port), "--root", str(tmp_path / "root"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: port {port} of 127.0.0.1 can't be had: Address already in use; name another, or 0 for a free one\n"
    )
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--host", "no.such.host.invalid"), 1, "can't be had"),
        (("--root", "/proc/nowhere/root"), 1, "can't be kept in '/proc/nowhere/root'"),
        (("--root", "/dev/null"), 1, "can't be kept in '/dev/null'"),
        (("--tls-certificate", "a.pem"), 2, "go together"),
        (("--tls-certificate", "/none.pem", "--tls-key", "/none.pem"), 1, "there is no file '/none.pem'"),
        (("--access-log", "/proc/nowhere/log"), 1, "can't be written"),
        (("--proxy-headers", "not an address"), 1, "is no list of addresses"),
        (("--port", "70000"), 2, "--port"),
    ],
)
def test_what_can_not_be_served_is_one_error(tmp_path, options, code, said):
    done = command("--port", "0", "--root", str(tmp_path / "root"), *options)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_options_come_from_the_environment(tmp_path):
    """As units of systemd and containers give them."""
    env = {"AMLSDK_SERVE_OWNER": "grace", "AMLSDK_SERVE_ACCESS_LOG": str(tmp_path / "access.jsonl")}
    with serving(tmp_path / "root", env=env) as served:
        ask(served, "GET", "/v1/workspace", token=served.token)
        until((tmp_path / "access.jsonl").read_text)
    line = json.loads((tmp_path / "access.jsonl").read_text())
    assert (line["user"], line["route"], line["token_id"]) == ("grace", "/v1/workspace", id_of_token(served.token))


def test_each_option_has_the_name_that_it_is_said_to_have_there():
    options = [option for option in serve.params if not option.is_flag]
    own = {option.envvar or f"AMLSDK_SERVE_{option.name.upper()}": option.opts[0] for option in options}
    assert own == {f"AMLSDK_SERVE_{name[2:].replace('-', '_').upper()}": name for name in own.values()}


def test_what_is_kept_is_for_the_user_alone(tmp_path):
    with serving(tmp_path / "root") as served:
        ask(served, "GET", "/v1/workspace", token=served.token)
    assert (tmp_path / "root").stat().st_mode & 0o077 == 0


def test_without_encryption_only_this_machine_is_served_in_silence(tmp_path):
    with serving(tmp_path / "a") as served:
        assert "not encrypted" not in served.said()
    with serving(tmp_path / "b", "--host", "0.0.0.0") as served:  # noqa: S104  # what is warned of
        assert "is not encrypted: tokens can be read on the way" in served.said()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    locked = serialization.BestAvailableEncryption(b"secret")
    (folder / "locked.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, locked))
    return folder / "cert.pem", folder / "key.pem"


def test_https_by_flags(tmp_path, certificate, monkeypatch):
    cert, key = map(str, certificate)
    with serving(tmp_path / "root", "--tls-certificate", cert, "--tls-key", key) as served:
        assert served.url.startswith("https://127.0.0.1:")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", cert)
        with served.connect() as ws:
            assert ws.name == "default"
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_verify_locations(cert)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        connection = HTTPSConnection(urlsplit(served.url).netloc, context=old, timeout=10)
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            connection.request("GET", "/healthz")
        connection.close()
        assert served.end() == 0


def test_a_locked_key_is_refused_without_a_question(tmp_path, certificate):
    cert, key = certificate
    done = command(
        "--port",
        "0",
        "--root",
        str(tmp_path / "r"),
        "--tls-certificate",
        str(cert),
        "--tls-key",
        str(key.with_name("locked.pem")),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "not encrypted, in PEM format" in done.stderr


@pytest.mark.parametrize(
    ("trusted", "address"), [(None, "127.0.0.1"), ("10.0.0.0/8", "127.0.0.1"), ("127.0.0.0/8", "203.0.113.9")]
)
def test_only_proxies_that_are_named_are_believed(tmp_path, trusted, address):
    """Else anybody could write any address into the logs, and get around the limits of their own."""
    log = tmp_path / "access.jsonl"
    options = [] if trusted is None else ["--proxy-headers", trusted]
    with serving(tmp_path / "root", "--access-log", str(log), *options) as served:
        ask(served, "GET", "/healthz", X_Forwarded_For="198.51.100.1, 203.0.113.9")
        until(log.read_text)
    assert json.loads(log.read_text())["address"] == address


def test_two_serve_one_folder(tmp_path):
    """What is written through one is read through the other; one that is killed takes nothing with it."""
    root = tmp_path / "root"
    with serving(root) as first, serving(root) as second:
        assert second.token is None
        with first.connect() as ws, second.connect(first.token) as other:
            experiment = ws.projects.create("p").experiments.create("e")
            with experiment.start_run() as run:
                for step in range(100):
                    run.log("loss", step, step=step)
            found = next(iter(other.projects["p"].experiments["e"].runs))
            assert (found.id, found.status, len(found.series("loss"))) == (run.id, "Completed", 100)
            answered = created_until_killed(first)
            names = {each.name for each in other.projects}
            assert answered <= names
            assert len(names - answered) <= 2  # p itself, and one that was made but not answered for
            other.projects.create("afterwards")
            assert second.end() == 0


def created_until_killed(server):
    """Create projects, and kill the server in the midst; return the names of those that were answered for."""
    answered = set()

    def create():
        for number in range(10_000):
            body = json.dumps({"id": new_id(), "name": f"p{number}"})
            try:
                found = ask(server, "POST", "/v1/projects", body, token=server.token, Content_Type="application/json")
            except (OSError, HTTPException):
                return  # it is gone
            assert found[0] == 200
            answered.add(f"p{number}")

    with ThreadPoolExecutor(1) as pool:
        creating = pool.submit(create)
        until(lambda: len(answered) > 20)
        server.process.kill()
        creating.result()
    return answered
