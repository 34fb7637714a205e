"""Who may ask how often, and what is written down of it."""

import json
import logging

import pytest
from raw_client import ask, until
from serving import Answering, serving

from amlsdk.operations import TABLE
from amlsdk.operations.tenancy import CreateToken, DeleteToken
from amlsdk.records.tokens import digest_of_token, id_of_token, new_token
from amlsdk.server import callers
from amlsdk.server.limits import Limits, Rates
from amlsdk.server.run import ServerThread
from amlsdk.tenancy import TenantHost


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    made = TenantHost(tmp_path_factory.mktemp("service") / "root", owner="ada")
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(host):
    with ServerThread(host) as running:
        yield running


@pytest.fixture
def lines(caplog):
    """The access log since the test began, once it has so many lines: each is written after its reply."""
    caplog.set_level(logging.INFO, "amlsdk.access")

    def written(count=1):
        def found():
            return [json.loads(record.getMessage()) for record in caplog.records if record.name == "amlsdk.access"]

        until(lambda: len(found()) >= count)
        return found()

    return written


def workspace_id(host):
    principal = host.sign_in(host.first_token)
    service = host.service(principal, None)
    from amlsdk.operations.workspaces import GetWorkspace

    return service.send(GetWorkspace()).id


def test_a_request_is_one_line(server, host, lines):
    status, headers, _ = ask(server, "GET", "/w/default/v1/runs?filter=name%20=%20'hush'", token=host.first_token)
    [line] = lines()
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/runs", status)
    assert (line["user"], line["token_id"]) == ("ada", id_of_token(host.first_token))
    assert (line["workspace_id"], line["address"]) == (workspace_id(host), "127.0.0.1")
    assert (line["bytes_in"], line["bytes_out"]) == (0, int(headers["Content-Length"]))
    assert line["request_id"] == headers["X-Request-Id"]
    assert line["duration_ms"] > 0


def test_no_line_has_a_secret(server, host, lines):
    """Neither tokens nor paths, queries or bodies, where people may have put one."""
    other = new_token()
    ask(server, "GET", "/v1/models?name=hush", token=other)
    ask(server, "GET", "/hush/hush?hush=hush", token=host.first_token, X_Other="hush")
    ask(server, "POST", "/v1/projects", '{"name": "hush"}', token=host.first_token, Content_Type="application/json")
    text = json.dumps(lines(3))
    assert len(lines()) == 3
    assert "hush" not in text
    assert host.first_token not in text
    assert other not in text


def test_who_is_not_known_has_no_name(server, lines):
    ask(server, "GET", "/v1/runs", token=new_token())
    [line] = lines()
    assert (line["status"], line["user"], line["token_id"], line["route"]) == (401, None, None, "")


@pytest.mark.parametrize("given", ["abc-1.2_3", "A" * 64])
def test_a_request_may_have_an_id_of_its_own(server, given, lines):
    assert ask(server, "GET", "/healthz", X_Request_Id=given)[1]["X-Request-Id"] == given
    assert lines()[-1]["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "A" * 65, 'x", "user": "eve', "å", "a;b"])
def test_an_id_that_could_write_lines_of_its_own_is_not_taken(server, given):
    found = ask(server, "GET", "/healthz", X_Request_Id=given)[1]["X-Request-Id"]
    assert found != given
    assert len(found) == 32


def test_replies_are_kept_by_nobody_and_taken_for_nothing_else(server, host):
    _, headers, _ = ask(server, "GET", "/v1/workspace", token=host.first_token)
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


def test_the_audit_log_says_who_did_what_where(server, host):
    project = {"id": "01m88s6sha1c7mcwy6984kbrt6", "name": "audited"}
    _, headers, _ = ask(
        server, "POST", "/v1/projects", json.dumps(project), token=host.first_token, Content_Type="application/json"
    )
    line = json.loads((host.root / "audit.jsonl").read_text().splitlines()[-1])
    assert (line["user"], line["operation"], line["outcome"]) == ("ada", "CreateProject", "ok")
    assert (line["id"], line["workspace"]) == (project["id"], workspace_id(host))
    assert (line["token"], line["address"]) == (id_of_token(host.first_token), "127.0.0.1")
    assert line["request"] == headers["X-Request-Id"]


def made_token(host, name):
    token = new_token()
    owner = host.sign_in(host.first_token)
    request = CreateToken(id=id_of_token(token), name=name, digest=digest_of_token(token))
    host.service(owner, None).send(request)
    return token


def test_making_a_token_is_audited_though_every_reader_may(host):
    made_token(host, "audited")
    line = json.loads((host.root / "audit.jsonl").read_text().splitlines()[-1])
    assert line["operation"] == "CreateToken"


def test_a_token_that_was_revoked_here_opens_nothing_at_once(server, host):
    token = made_token(host, "short")
    assert ask(server, "GET", "/v1/workspace", token=token)[0] == 200
    assert ask(server, "DELETE", f"/v1/tokens/{id_of_token(token)}", token=host.first_token)[0] == 200
    assert ask(server, "GET", "/v1/workspace", token=token)[0] == 401


def test_a_token_that_was_revoked_elsewhere_opens_nothing_a_moment_later(server, host, monkeypatch):
    """Another process over the same directory tells this one nothing; it looks again by itself, within a second."""
    assert callers._KEPT_S < 1
    now = [100.0]
    monkeypatch.setattr(callers, "time", Clock(now))
    token = made_token(host, "elsewhere")
    assert ask(server, "GET", "/v1/workspace", token=token)[0] == 200
    host.service(host.sign_in(host.first_token), None).send(DeleteToken(token_id=id_of_token(token)))
    assert ask(server, "GET", "/v1/workspace", token=token)[0] == 200
    now[0] += callers._KEPT_S
    assert ask(server, "GET", "/v1/workspace", token=token)[0] == 401


class Clock:
    def __init__(self, now):
        self._now = now

    def monotonic(self):
        return self._now[0]


def test_a_token_that_is_used_too_often_waits(host):
    """The others do not."""
    other = made_token(host, "other")
    with ServerThread(host, limits=Limits(rate=0.1, burst=5)) as server:
        found = [ask(server, "GET", "/v1/workspace", token=host.first_token) for _ in range(7)]
        assert [status for status, _, _ in found] == [200] * 5 + [429] * 2
        assert 1 <= int(found[-1][1]["Retry-After"]) <= 10
        assert found[-1][2]["code"] == "Unavailable"
        assert ask(server, "GET", "/v1/workspace", token=other)[0] == 200


def test_a_bucket_fills_again(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("amlsdk.server.limits.time", Clock(now))
    rates = Rates(2.0, 4.0)
    for _ in range(4):
        assert rates.wait_s("a") == 0
        rates.take("a")
    assert rates.wait_s("a") == 0.5
    assert rates.wait_s("b") == 0
    now[0] += 0.5
    assert rates.wait_s("a") == 0
    now[0] += 1000
    for _ in range(4):
        rates.take("a")
    assert rates.wait_s("a") == 0.5


def test_buckets_of_many_keys_take_little_memory():
    rates = Rates(0.001, 4.0)
    for number in range(25_000):
        rates.take(str(number))
    assert len(rates._buckets) <= 10_001
    assert rates.wait_s("24999") == 0


def test_without_a_rate_nobody_waits():
    rates = Rates(None, 1.0)
    for _ in range(100):
        rates.take("a")
    assert rates.wait_s("a") == 0


def samples(text):
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_metrics_count_requests_by_route(server, host):
    for _ in range(3):
        ask(server, "GET", "/v1/runs/01m88s6sha1c7mcwy6984kbrt6", token=host.first_token)
    status, headers, text = ask(server, "GET", "/metrics")
    found = samples(text.decode())
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    route = "/v1/runs/{run_id}"
    assert found[f'amlsdk_requests_total{{method="GET",route="{route}",status="404"}}'] == 3
    assert found[f'amlsdk_request_duration_seconds_count{{route="{route}"}}'] == 3
    assert found[f'amlsdk_request_duration_seconds_bucket{{route="{route}",le="+Inf"}}'] == 3
    assert 1e7 < found["process_resident_memory_bytes"] < 1e10
    assert found["amlsdk_requests_in_flight"] == 1
    assert found["amlsdk_connections"] >= 1


def test_metrics_tell_nothing_that_a_caller_chose(server, host):
    """Whatever was asked, there are as many series as the table has routes."""
    for number in range(30):
        ask(server, "GET", f"/nothing/{number}", token=host.first_token)
        ask(server, f"VERB{number}", "/healthz")
        ask(server, "GET", f"/w/hush{number}/v1/workspace", token=host.first_token)
    text = ask(server, "GET", "/metrics")[2].decode()
    routes = {operation.path for operation in TABLE.values()} | {"/healthz", "/readyz", "/metrics", "/openapi.json"}
    named = {part.partition('"')[0] for part in text.split('route="')[1:]}
    assert named <= routes | {"other"}
    for secret in ("hush", "ada", host.first_token, id_of_token(host.first_token), workspace_id(host), "VERB"):
        assert secret not in text


def test_lines_of_journals_are_counted():
    from amlsdk.records.logged import JournalPosition

    def append(request):
        return JournalPosition(offset=len(request.content.read()), accepted=True)

    with serving(Answering(AppendJournal=append)) as server:
        path = "/v1/runs/r/journals/w?offset=0&digest=d"
        ask(server, "POST", path, b"a\nb\nc", Content_Type="application/octet-stream")
        assert samples(ask(server, "GET", "/metrics")[2].decode())["amlsdk_journal_lines_total"] == 2
