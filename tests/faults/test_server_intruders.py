"""What strangers ask for, and what is absurd: each is refused with a clear error, and the server lives on."""

import gzip
import json
import socket
import subprocess
import sys

import pytest
from raw_client import ask, refusal, tell

from amlsdk.records.ids import new_id
from amlsdk.records.tokens import new_token
from amlsdk.server.limits import Limits
from amlsdk.server.run import ServerThread
from amlsdk.tenancy import TenantHost


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    made = TenantHost(tmp_path_factory.mktemp("service") / "root")
    yield made
    made.close()


@pytest.fixture(scope="module")
def running(host):
    with ServerThread(host, limits=Limits(stranger_burst=10_000)) as server:
        yield server


@pytest.fixture
def server(running, host):
    """The server, which answers after the test as it did before."""
    yield running
    status, _, answer = ask(running, "GET", "/v1/workspace", token=host.first_token)
    assert (status, answer["name"]) == (200, "default")


def test_what_is_compressed_is_not_unpacked(server, host):
    """A bomb of a gigabyte is a megabyte on the way."""
    bomb = gzip.compress(b"[" * (64 << 20))
    for verb, path, kind in [
        ("POST", "/v1/projects", "application/json"),
        ("PUT", f"/v1/blobs/{'a' * 64}", "application/octet-stream"),
    ]:
        status, _, answer = ask(
            server, verb, path, bomb, token=host.first_token, Content_Type=kind, Content_Encoding="gzip"
        )
        assert (status, answer["code"]) == (415, "InvalidArgument")
        assert "send it as it is" in answer["message"]


DEEP = 900


@pytest.mark.parametrize(
    "body",
    [
        "[" * 1_000_000,
        '{"a":' * 1_000_000,
        '{"id": "i", "name": ' + "[" * DEEP + "]" * DEEP + "}",
        '{"id": "i", "name": "n", "x": ' + '{"x":' * DEEP + "1" + "}" * DEEP + "}",
        '{"id": "i", "name": "n", "x": ' + "9" * 100_000 + "}",
        '{"id": "i", "name": 1e999999}',
        '{"id": "i", "name": Infinity}',
        '{"id": "i", "name": "\\ud800"}',
        '{"id": "i", "name": "n", "x": {"y": 1, "y": 2}}',
        '{"name": "' + "x" * 10_000_000 + '", "id": "i"}',
        "{" + ",".join(f'"f{number}": 0' for number in range(100_000)) + "}",
        "\ufeff{}",
        " " * 1_000_000,
        "null",
    ],
    ids=range(14),
)
def test_absurd_json_is_refused(server, host, body):
    status, _, answer = ask(
        server, "POST", "/v1/projects", body.encode(), token=host.first_token, Content_Type="application/json"
    )
    assert (status, answer["code"]) == (400, "InvalidArgument")
    assert len(answer["message"]) < 2000


def test_a_body_of_more_than_64_mib_is_refused(server, host):
    status, _, answer = ask(
        server,
        "POST",
        "/v1/projects",
        (b" " * (1 << 20) for _ in range(80)),
        token=host.first_token,
        Content_Type="application/json",
    )
    assert (status, answer["code"]) == (413, "InvalidArgument")


@pytest.mark.parametrize("query", ["a=" + "b" * 900_000, "&".join(["a=b"] * 200_000), "%" * 900_000, "=" * 100_000])
def test_a_huge_query_is_refused(server, host, query):
    """One that is merely large is read: filters are long."""
    status, _, answer = ask(server, "GET", f"/v1/runs?{query}", token=host.first_token)
    assert status in (200, 400)
    assert status == 200 or answer["code"] == "InvalidArgument"


def test_a_filter_of_64_kib_arrives(server, host):
    text = "name = 'a'" + "%20%20%20" * 20_000
    status, _, answer = ask(server, "GET", f"/v1/runs?filter={text.replace(' ', '%20')}", token=host.first_token)
    assert status == 200, answer


BAD_TOKENS = {
    "none": None,
    "empty": "",
    "unknown": new_token(),
    "of another secret": "first owner's id, another secret",
    "nonsense": "x" * 5000,
    "no ascii": "\xff\xfe",
    "sql": "' or 1=1 --",
    "path": "../../etc/passwd",
    "format": "aml_%s_{0}",
}


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS)
@pytest.mark.parametrize("path", ["/v1/workspace", "/w/default/v1/runs", "/v1/nothing", "/v1/subscription"])
def test_a_wrong_token_opens_nothing(server, host, token, path):
    """And tells nothing: not even whether there is anything at this place."""
    if token == BAD_TOKENS["of another secret"]:
        token = "_".join([*host.first_token.split("_")[:2], new_token().split("_", 2)[2]])
    status, headers, answer = ask(server, "GET", path, token=token)
    assert (status, answer["code"]) == (401, "NotSignedIn")
    assert headers["WWW-Authenticate"].startswith("Bearer")
    assert host.first_token not in json.dumps(answer)


def test_a_token_elsewhere_opens_nothing(server, host):
    """In a query it would stand in logs, and a cookie would be sent by pages of other sites."""
    token = host.first_token
    assert ask(server, "GET", f"/v1/workspace?access_token={token}&token={token}")[0] == 401
    assert ask(server, "GET", "/v1/workspace", Cookie=f"token={token}; Authorization={token}")[0] == 401
    assert ask(server, "GET", "/v1/workspace", Authorization=token)[0] == 401
    assert ask(server, "GET", "/v1/workspace", Authorization=f"Digest {token}")[0] == 401


def test_guessing_is_slow(host):
    """An address that showed many wrong tokens is not even asked for more; who is at work there is served."""
    with ServerThread(host, limits=Limits(stranger_rate=0.1, stranger_burst=20)) as server:
        assert ask(server, "GET", "/v1/workspace", token=host.first_token)[0] == 200
        found = [ask(server, "GET", "/v1/workspace", token=new_token()) for _ in range(25)]
        assert [status for status, _, _ in found] == [401] * 20 + [429] * 5
        assert int(found[-1][1]["Retry-After"]) >= 1
        assert found[-1][2]["code"] == "Unavailable"
        assert ask(server, "GET", "/readyz")[0] == 429
        assert ask(server, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../../../etc/passwd",
        "/v1/../../etc/passwd",
        "/v1/blobs/..%2f..%2f..%2fetc%2fpasswd",
        "/v1/blobs/../../../etc/passwd",
        "/v1/blobs/%2e%2e",
        "/w/..%2f../v1/workspace",
        "/w/../v1/workspace",
        "/v1/runs/..%2f..%2fsecrets.key/output",
        "/v1//runs",
        "//v1/runs",
        "/v1/runs/%00",
        "/v1/filesets/....%2f%2f....%2f%2fetc%2fpasswd",
        "http://127.0.0.1/v1/../etc/passwd",
    ],
)
def test_a_path_leads_nowhere_else(server, host, path):
    said = tell(
        server, f"GET {path} HTTP/1.1\r\nAuthorization: Bearer {host.first_token}\r\nConnection: close\r\n\r\n".encode()
    )
    status, code, _ = refusal(said)
    assert (status, code) in ((404, "NotFound"), (400, "InvalidArgument"))
    assert b"root:" not in said


class Trap:
    """An address on this machine that notes whether anything comes to it."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0)
        self.port = self._listener.getsockname()[1]

    def was_touched(self):
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self):
        self._listener.close()


def test_a_url_of_a_user_is_never_fetched(server, host):
    """It is noted as a text: the server has nothing to fetch it with, as the next test shows."""
    trap = Trap()
    try:
        project = {"id": new_id(), "name": "inward", "folder": f"http://127.0.0.1:{trap.port}/"}
        json_type = {"token": host.first_token, "Content_Type": "application/json"}
        assert ask(server, "POST", "/v1/projects", json.dumps(project), **json_type)[0] == 200
        for url in (f"http://127.0.0.1:{trap.port}/x.git", f"git://localhost:{trap.port}/x", "file:///etc/passwd"):
            body = json.dumps({"remote": url, "branch": "main", "head": "a" * 40})
            status, _, _ = ask(server, "POST", f"/v1/projects/{project['id']}/publish", body, **json_type)
            assert status in (200, 400)
        assert not trap.was_touched()
    finally:
        trap.close()


WITHOUT_CLIENTS = """
import sys
from pathlib import Path
from amlsdk.server.app import make_app
from amlsdk.tenancy import TenantHost

host = TenantHost(Path(sys.argv[1]))
make_app(host)
principal = host.sign_in(host.first_token)
from amlsdk.operations.workspaces import GetWorkspace
host.service(principal, None).send(GetWorkspace())
host.close()
clients = {"requests", "urllib3", "httpx", "aiohttp", "urllib.request", "ftplib", "fsspec", "azure.core"}
print(sorted(clients & sys.modules.keys()))
"""


def test_the_server_has_no_client_to_fetch_anything_with(tmp_path):
    """Where files and secrets are kept here, no library that opens URLs is even loaded."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_CLIENTS, tmp_path / "root"], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_nobody_comes_to_own_what_has_an_id_already(server, host):
    """Whoever makes a workspace or a team owns what has its id: so it must be an id that nothing has."""
    owner = {"token": host.first_token, "Content_Type": "application/json"}
    subscription = ask(server, "GET", "/v1/subscription", token=host.first_token)[2]["id"]
    team = ask(server, "GET", "/v1/workspace", token=host.first_token)[2]["team_id"]
    for taken in (subscription, team):
        body = json.dumps({"id": taken, "name": "mine", "team_id": team})
        status, _, answer = ask(server, "POST", "/v1/workspaces", body, **owner)
        assert (status, answer["code"]) == (409, "Conflict")
    for taken in (subscription, ask(server, "GET", "/v1/workspace", token=host.first_token)[2]["id"]):
        status, _, answer = ask(server, "POST", "/v1/teams", json.dumps({"id": taken, "name": "mine"}), **owner)
        assert (status, answer["code"]) == (409, "Conflict")
