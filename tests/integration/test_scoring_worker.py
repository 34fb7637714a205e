"""A worker process serves a bundle: over HTTP as clients use it, and over the socket of its supervisor."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import pytest
from openapi_spec_validator import validate
from scoring_bundles import KEYS, SAMPLE, SUMS, Worker, exchange, make_bundle, post, read_all

import amlsdk
from amlsdk.records.serving import InputSpec
from amlsdk.sketches.counters import read_traffic

TEXT = InputSpec(name="text", kind="json", schema={"type": "string"})
# A call that ends when the file `go` is there; the sample is scored at once.
HELD = """
import pathlib, time

def run(text):
    pathlib.Path("begun").touch()
    while text == "wait" and not pathlib.Path("go").exists():
        time.sleep(0.005)
    if text == "slow":
        time.sleep(0.05)
    return text
"""


def until(fact, timeout_s=15):
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, "this did not become so in time"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A worker that sums rows, for tests that leave it as it was."""
    with Worker(make_bundle(tmp_path_factory.mktemp("shared") / "bundle")) as worker:
        yield worker


@pytest.fixture
def text_bundle(tmp_path):
    return lambda script=HELD: make_bundle(tmp_path / "bundle", script, (TEXT,), {"text": "a"})


def post_held(worker, answers):
    """Post a request in a thread that is answered when `go` is there."""
    thread = threading.Thread(target=lambda: answers.append(worker.score({"text": "wait"})))
    thread.start()
    until((worker_folder(worker) / "begun").exists)
    until(lambda: worker.tell("stats")["in_flight"] == 1)
    return thread


def worker_folder(worker):
    return Path(worker.keys_file.parent) / "app"


def test_a_request_is_scored(shared):
    assert shared.score(SAMPLE) == (200, {"result": [3.5]})


def test_what_needs_no_key_is_open_and_the_rest_is_not(shared):
    pages = ("/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/swagger.json")
    statuses = {page: shared.ask("GET", page, key=None)[0] for page in pages}
    assert statuses == dict.fromkeys(pages[:4], 200) | dict.fromkeys(pages[4:], 401)
    status, headers, _ = shared.ask("POST", "/score", b"{}", key=None)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    "authorization", ["Bearer wrong", "Bearer", "Basic first-key", "first-key", "Bearer first-key2"]
)
def test_another_key_is_refused(shared, authorization):
    status, _, body = shared.ask("POST", "/score", json.dumps(SAMPLE), {"Authorization": authorization}, key=None)
    assert (status, json.loads(body)["code"]) == (401, "KeyNeeded")


def test_both_keys_are_accepted_and_the_scheme_may_be_written_small(shared):
    for key in KEYS.values():
        assert shared.score(SAMPLE, key=key)[0] == 200
        status, _, _ = shared.ask("POST", "/score", json.dumps(SAMPLE), {"Authorization": f"bearer {key}"}, key=None)
        assert status == 200


def test_the_root_says_healthy_to_programs_and_is_a_page_to_browsers(shared):
    status, headers, body = shared.ask("GET", "/", key=None)
    assert (status, headers["content-type"], body) == (200, "text/plain; charset=utf-8", b"Healthy")
    status, headers, body = shared.ask("GET", "/", headers={"accept": "text/html,*/*"}, key=None)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert b"alcohol" not in body


def test_the_contract_has_two_addresses(shared):
    first, second = (shared.ask("GET", page)[2] for page in ("/openapi.json", "/swagger.json"))
    assert first == second
    validate(json.loads(first))


def test_a_head_request_is_answered_without_a_body(shared):
    status, headers, body = shared.ask("HEAD", "/healthz")
    assert (status, headers["content-length"], body) == (200, "7", b"")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/score", 405),
        ("POST", "/", 405),
        ("DELETE", "/healthz", 405),
        ("GET", "/x", 404),
        ("POST", "/scores", 404),
    ],
)
def test_other_paths_and_methods_are_refused(shared, method, path, expected):
    status, headers, body = shared.ask(method, path, b"{}" if method == "POST" else None)
    assert status == expected
    assert set(json.loads(body)) == {"code", "message"}
    assert ("allow" in headers) == (expected == 405)


def test_a_connection_is_used_again_after_answers_of_every_kind(shared):
    connection = shared.connect()
    asked = [
        ("POST", "/score", json.dumps(SAMPLE)),
        ("GET", "/", None),
        ("POST", "/score", b"{"),
        ("POST", "/score", b"{}"),
        ("GET", "/nowhere", None),
        ("POST", "/score", json.dumps(SAMPLE)),
    ]
    connection.connect()
    socket_before = connection.sock
    statuses = [exchange(connection, *each)[0] for each in asked]
    assert statuses == [200, 200, 400, 422, 404, 200]
    assert connection.sock is socket_before
    connection.close()


REQUESTS = {
    "good": (json.dumps(SAMPLE).encode(), {}),
    "as lists": (b'{"data": [[1, 2], [3, null]]}', {}),
    "a string of JSON": (json.dumps(json.dumps(SAMPLE)).encode(), {}),
    "JSON of a kind": (json.dumps(SAMPLE).encode(), {"content-type": "application/problem+json; charset=UTF-8"}),
    "empty": (b"", {}),
    "not JSON": (b"{", {}),
    "not UTF-8": (b'"\xff"', {}),
    "NaN": (b'{"data": [[NaN, 1]]}', {}),
    "too deep": (b"[" * 10_000, {}),
    "other shape": (b'{"data": [[1]]}', {}),
    "missing": (b"{}", {}),
    "wrong key": (b"{}", {"authorization": "Bearer no"}),
    "text": (b"{}", {"content-type": "text/plain"}),
    "compressed": (b"{}", {"content-encoding": "gzip"}),
    "form": (b"{}", {"content-type": "application/x-www-form-urlencoded"}),
    "other charset": (b"{}", {"content-type": "application/json; charset=utf-16"}),
    "too large": (b" " * 200_000, {}),
    "too large by a little": (b" " * 1001, {}),
    "large, of another kind": (b" " * 100_000, {"content-type": "text/plain"}),
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    bundle = make_bundle(tmp_path_factory.mktemp("small") / "bundle")
    with Worker(bundle, settings={"max_body_bytes": 30_000}) as worker:
        yield worker


@pytest.mark.parametrize("name", REQUESTS)
def test_the_quick_way_and_the_plain_application_answer_the_same(small, name):
    body, headers = REQUESTS[name]
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEYS['primary']}", **headers}
    answers = []
    # What has a query is not the protocol's to answer.
    for path in ("/score", "/score?plain"):
        status, answered, content = small.ask("POST", path, body, headers, key=None)
        answered.pop("date")
        answers.append((status, answered, content))
    assert answers[0] == answers[1]


def test_pipelined_requests_are_answered_in_order(shared):
    pieces = [post(json.dumps({"data": [[at, 0]]}).encode()) for at in range(20)]
    pieces[3] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    pieces[5] = post(b"{}")
    pieces[-1] = post(b'{"data": [[19, 0]]}', headers=["connection: close"])
    answers = shared.raw(b"".join(pieces)).split(b"HTTP/1.1 ")[1:]
    found = [answer.split(b"\r\n\r\n")[1] for answer in answers]
    expected = [b'{"result":[%d.0]}' % at for at in range(20)]
    assert found[3] == b"Healthy"
    assert answers[5].startswith(b"422")
    assert [each for at, each in enumerate(found) if at not in {3, 5}] == [
        each for at, each in enumerate(expected) if at not in {3, 5}
    ]


def test_a_request_may_come_in_pieces_and_in_chunks(shared):
    request = post(json.dumps(SAMPLE).encode(), headers=["connection: close"])
    with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(request)):
            connection.sendall(request[at : at + 1])
        assert b'{"result":[3.5]}' in read_all(connection)
    head = post(b"", headers=["connection: close"]).replace(b"content-length: 0", b"transfer-encoding: chunked")
    body = json.dumps(SAMPLE).encode()
    chunked = b"".join(b"%x\r\n%b\r\n" % (1, body[at : at + 1]) for at in range(len(body))) + b"0\r\n\r\n"
    assert b'{"result":[3.5]}' in shared.raw(head + chunked)


def test_a_client_that_asks_first_is_told_to_go_on(shared):
    body = json.dumps(SAMPLE).encode()
    request = post(body, headers=["expect: 100-continue", "connection: close"])
    head = request[: -len(body)]
    with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert b'{"result":[3.5]}' in read_all(connection)


def test_a_client_that_asks_first_without_a_key_is_refused_first(shared):
    request = post(b"x" * 100, headers=["expect: 100-continue"], key="wrong")
    answer = shared.raw(request[:-100])
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer


def test_a_client_of_http_1_0_is_answered_and_the_connection_closed(shared):
    body = json.dumps(SAMPLE).encode()
    answer = shared.raw(post(body).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert b'{"result":[3.5]}' in answer


def test_requests_that_wait_are_scored_together(tmp_path):
    with Worker(make_bundle(tmp_path / "bundle"), traffic=tmp_path / "traffic") as worker:
        body = post(json.dumps(SAMPLE).encode(), headers=["connection: close"])
        connections = [socket.create_connection(("127.0.0.1", worker.port)) for _ in range(50)]
        until(lambda: worker.tell("stats")["connections"] == 50)
        os.kill(worker.process.pid, signal.SIGSTOP)
        for connection in connections:
            connection.sendall(body)
        os.kill(worker.process.pid, signal.SIGCONT)
        for connection in connections:
            assert b'{"result":[3.5]}' in read_all(connection)
            connection.close()
        traffic = read_traffic(tmp_path / "traffic")
    assert traffic.requests == {200: 50}
    assert traffic.rows == 50
    assert traffic.batches < 25


def test_metrics_are_those_of_all_processes_of_the_deployment(tmp_path):
    traffic = tmp_path / "traffic"
    with (
        Worker(make_bundle(tmp_path / "one"), traffic=traffic) as first,
        Worker(make_bundle(tmp_path / "two"), traffic=traffic) as second,
    ):
        first.score(SAMPLE)
        second.score(SAMPLE)
        assert b'amlsdk_requests_total{code="200"} 2' in second.ask("GET", "/metrics", key=None)[2]


def test_a_key_is_changed_without_a_refused_request(tmp_path):
    with Worker(make_bundle(tmp_path / "bundle")) as worker:
        new = worker.keys_file.with_suffix(".new")
        new.write_text(json.dumps({"primary": "third-key", "secondary": KEYS["secondary"]}))
        os.replace(new, worker.keys_file)
        assert worker.score(SAMPLE, key="third-key")[0] == 200
        assert worker.score(SAMPLE, key=KEYS["secondary"])[0] == 200
        began = time.monotonic()
        until(lambda: worker.score(SAMPLE, key=KEYS["primary"])[0] == 401)
        assert time.monotonic() - began < 5
        assert "key" not in worker.log()


def test_neither_keys_nor_bodies_get_into_the_log(tmp_path):
    script = SUMS + "\ndef run(data):\n    if data[0, 0] == 99:\n        raise ValueError('bad')\n    return 1\n"
    with Worker(make_bundle(tmp_path / "bundle", script)) as worker:
        status, answer = worker.score({"data": [[99, 1234567]]})
        assert status == 500
        worker.score(b"\x00secret", key="guessed-key")
        log = worker.log()
    assert answer["message"].split()[-1] in log
    assert "ValueError: bad" in log
    assert "1234567" not in log
    assert "-key" not in log


def test_a_long_call_leaves_the_service_awake(text_bundle):
    with Worker(text_bundle()) as worker:
        assert worker.score({"text": "slow"}) == (200, {"result": "slow"})
        answers = []
        thread = post_held(worker, answers)
        assert worker.ask("GET", "/healthz")[0] == 200
        assert b"amlsdk_in_flight 1" in worker.ask("GET", "/metrics")[2]
        (worker_folder(worker) / "go").touch()
        thread.join(15)
    assert answers == [(200, {"result": "wait"})]


def test_a_request_that_takes_too_long_is_answered_with_503(text_bundle):
    with Worker(text_bundle(), settings={"timeout_s": 0.3}) as worker:
        assert worker.score({"text": "slow"})[0] == 200
        status, answer = worker.score({"text": "wait"})
        assert (status, answer["code"]) == (503, "Unavailable")
        (worker_folder(worker) / "go").touch()
        until(lambda: worker.score({"text": "a"})[0] == 200)


def test_more_requests_than_may_wait_are_told_when_to_come_back(text_bundle):
    with Worker(text_bundle(), settings={"max_waiting": 1}) as worker:
        assert worker.score({"text": "slow"})[0] == 200
        answers = []
        threads = [post_held(worker, answers)]
        threads.append(threading.Thread(target=lambda: answers.append(worker.score({"text": "a"}))))
        threads[1].start()
        until(lambda: worker.tell("stats")["waiting"] == 1)
        status, headers, body = worker.ask("POST", "/score", b'{"text": "b"}')
        assert (status, headers["retry-after"], json.loads(body)["code"]) == (429, "1", "TooManyRequests")
        (worker_folder(worker) / "go").touch()
        for thread in threads:
            thread.join(15)
    assert sorted(status for status, _ in answers) == [200, 200]


def test_the_supervisor_has_requests_scored_before_any_is_accepted(tmp_path):
    with Worker(make_bundle(tmp_path / "bundle"), accept=False) as worker:
        assert worker.tell("score", body=SAMPLE) == {"id": 1, "ok": True, "status": 200, "body": {"result": [3.5]}}
        reply = worker.tell("score", body={"data": [[1]]})
        assert (reply["status"], reply["body"]["code"]) == (422, "SchemaMismatch")
        with socket.create_connection(("127.0.0.1", worker.port)) as connection:
            connection.sendall(post(json.dumps(SAMPLE).encode(), headers=["connection: close"]))
            assert worker.tell("stats")["connections"] == 0
            worker.tell("accept")
            assert b'{"result":[3.5]}' in read_all(connection)


def test_a_wrong_order_is_answered_with_an_error(shared):
    reply = shared.tell("dance")
    assert (reply["ok"], "dance" in reply["error"]) == (False, True)
    assert shared.tell("stats")["ok"]


def test_draining_answers_what_comes_and_closes(tmp_path):
    with Worker(make_bundle(tmp_path / "bundle")) as worker:
        connection = worker.connect()
        assert exchange(connection, "POST", "/score", json.dumps(SAMPLE))[0] == 200
        number = worker.send("drain", grace_s=10)
        # The order was heard as soon as this one is answered.
        assert worker.tell("stats")["connections"] == 1
        status, headers, _ = exchange(connection, "POST", "/score", json.dumps(SAMPLE))
        assert (status, headers["connection"]) == (200, "close")
        assert worker.hear() == {"id": number, "ok": True}
        assert worker.tell("stats")["connections"] == 0


def test_draining_closes_idle_connections_after_a_while(tmp_path):
    with (
        Worker(make_bundle(tmp_path / "bundle")) as worker,
        socket.create_connection(("127.0.0.1", worker.port), timeout=15) as idle,
    ):
        until(lambda: worker.tell("stats")["connections"] == 1)
        began = time.monotonic()
        number = worker.send("drain", grace_s=15)
        assert idle.recv(1) == b""
        assert 1.5 < time.monotonic() - began < 10
        assert worker.hear() == {"id": number, "ok": True}


def test_a_drained_worker_accepts_again_at_once(tmp_path):
    with Worker(make_bundle(tmp_path / "bundle")) as worker:
        for _ in range(3):
            worker.tell("drain", grace_s=1)
            with socket.create_connection(("127.0.0.1", worker.port), timeout=10) as waiting:
                waiting.sendall(post(json.dumps(SAMPLE).encode(), headers=["connection: close"]))
                worker.tell("accept")
                assert b"200 OK" in read_all(waiting)
            assert worker.ask("GET", "/readyz")[0] == 200


def test_a_drain_that_is_taken_back_cuts_nothing(text_bundle):
    with Worker(text_bundle()) as worker:
        assert worker.score({"text": "slow"})[0] == 200
        answers = []
        thread = post_held(worker, answers)
        drain = worker.send("drain", grace_s=0.5)
        accept = worker.send("accept")
        assert {worker.hear()["id"], worker.hear()["id"]} == {drain, accept}
        assert worker.ask("GET", "/readyz")[0] == 200
        (worker_folder(worker) / "go").touch()
        thread.join(15)
    assert answers == [(200, {"result": "wait"})]


@pytest.mark.parametrize("how", ["end of file", "SIGTERM"])
def test_at_its_end_a_worker_answers_what_is_in_flight(text_bundle, how):
    with Worker(text_bundle()) as worker:
        assert worker.score({"text": "slow"})[0] == 200
        answers = []
        thread = post_held(worker, answers)
        if how == "SIGTERM":
            worker.process.terminate()
        else:
            worker.control.shutdown(socket.SHUT_WR)
        until(lambda: refuses(worker))
        (worker_folder(worker) / "go").touch()
        thread.join(15)
        assert answers == [(200, {"result": "wait"})]
        assert worker.process.wait(15) == 0


def refuses(worker):
    # Others may still hold the listening socket: a connection is made, but nobody takes it.
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", worker.port), timeout=0.1) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        return connection.recv(1) == b""
    return True


@pytest.mark.parametrize(
    ("script", "last"),
    [
        ("def init():\n    raise RuntimeError('no such model')\ndef run(text): ...", "RuntimeError: no such model"),
        ("def run(text):\n    raise RuntimeError('no such model')", "the sample was not scored"),
        ("import nothing_like_this", "ModuleNotFoundError: No module named 'nothing_like_this'"),
        ("x = 1", "has no function `run`"),
        ("def init():\n    raise SystemExit(0)\ndef run(text): ...", "SystemExit(0)"),
    ],
)
def test_a_worker_that_can_not_load_its_script_ends_and_says_why(text_bundle, script, last):
    with Worker(text_bundle(script), wait=False, accept=False) as worker:
        assert worker.hear() is None
        assert worker.process.wait(15) == 1
        assert last in worker.log().splitlines()[-1]


def test_a_script_that_is_bound_to_the_thread_that_loaded_it_is_served(text_bundle):
    script = """
import sqlite3
def init():
    global base
    base = sqlite3.connect(":memory:")
def run(text):
    return base.execute("select upper(?)", (text,)).fetchone()[0]
"""
    with Worker(text_bundle(script)) as worker:
        assert worker.score({"text": "abc"}) == (200, {"result": "ABC"})


@contextlib.contextmanager
def container(root, *, arguments=(), environment=None, start=("-m", "amlsdk.scoring")):
    """A worker as in a container: told by environment variables, on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AMLSDK_")}
    process = subprocess.Popen(
        [sys.executable, *map(str, start), *arguments, *(() if "-S" in start else ("--root", str(root)))],
        env={**clean, "AMLSDK_PORT": str(port), **(environment or {})},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=15)


def fetch(url, body=None, **headers):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("GET" if body is None else "POST", parts.path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def answers(url):
    with contextlib.suppress(OSError):
        fetch(url)
        return True
    return False


def test_a_container_is_alive_but_not_ready_while_it_loads(text_bundle):
    script = HELD + "\ndef init():\n    while not pathlib.Path('loaded').exists():\n        time.sleep(0.005)\n"
    root = text_bundle(script)
    with container(root, environment={"AMLSDK_PRIMARY_KEY": "k", "AMLSDK_MAX_BODY_BYTES": "20"}) as (process, url):
        until(lambda: answers(url))
        assert fetch(url + "/healthz")[0] == 200
        assert fetch(url + "/readyz")[0] == 503
        assert fetch(url + "/openapi.json", authorization="Bearer k")[0] == 503
        assert fetch(url + "/score", b'{"text": "x"}', authorization="Bearer k")[0] in {415, 503}
        (root / "app" / "loaded").touch()
        until(lambda: fetch(url + "/readyz")[0] == 200)
        kind = {"authorization": "Bearer k", "content-type": "application/json"}
        assert fetch(url + "/score", b'{"text": "x"}', **kind) == (200, b'{"result":"x"}')
        assert fetch(url + "/score", b'{"text": "xxxxxxxxxxxxxxxxxxx"}', **kind)[0] == 413
        process.terminate()
        assert process.wait(15) == 0


def test_a_container_without_keys_does_not_start_and_says_what_to_do(text_bundle):
    with container(text_bundle()) as (process, _):
        assert process.wait(15) == 1
        assert "AMLSDK_KEYS=off" in process.stderr.read()


def test_a_container_may_be_open_to_all(text_bundle):
    with container(text_bundle(), environment={"AMLSDK_KEYS": "off"}) as (_, url):
        until(lambda: answers(url) and fetch(url + "/readyz")[0] == 200)
        assert fetch(url + "/score", b'{"text": "x"}', **{"content-type": "application/json"})[0] == 200


def test_a_container_ends_while_it_loads(text_bundle):
    script = "import time\ndef init():\n    time.sleep(60)\ndef run(text): ..."
    with container(text_bundle(script), environment={"AMLSDK_KEYS": "off"}) as (process, url):
        until(lambda: answers(url))
        process.terminate()
        assert process.wait(10) == 0


def test_a_wrong_limit_is_refused_by_name(text_bundle):
    with container(text_bundle(), environment={"AMLSDK_TIMEOUT_S": "soon"}) as (process, _):
        assert process.wait(15) == 1
        assert "AMLSDK_TIMEOUT_S is 'soon'" in process.stderr.read()


def test_a_bundle_is_served_by_what_is_in_it(text_bundle):
    root = text_bundle()
    package = Path(amlsdk.__file__).parent
    runtime = root / "runtime" / "amlsdk"
    runtime.mkdir(parents=True)
    for name in ("__init__.py", "errors.py", "records", "sketches", "scoring"):
        (runtime / name).symlink_to(package / name)
    (root / "runtime" / "serve.py").write_bytes((package / "scoring" / "serve.py").read_bytes())
    (root / "site").mkdir()
    for name in ("uvicorn", "uvloop", "httptools", "msgspec", "attr", "attrs", "cattrs", "cattr", "click", "h11"):
        found = next(Path(folder) / name for folder in sys.path if (Path(folder) / name).is_dir() and folder)
        (root / "site" / name).symlink_to(found)
    import typing_extensions

    (root / "site" / "typing_extensions.py").symlink_to(typing_extensions.__file__)
    start = ("-I", "-S", root / "runtime" / "serve.py")
    with container(root, environment={"AMLSDK_KEYS": "off"}, start=start) as (process, url):
        until(lambda: process.poll() is not None or (answers(url) and fetch(url + "/readyz")[0] == 200))
        assert process.poll() is None, process.stderr.read()
        assert fetch(url + "/score", b'{"text": "x"}', **{"content-type": "application/json"})[0] == 200


def test_without_uvloop_and_httptools_the_plain_application_serves(text_bundle):
    code = (
        "import sys\n"
        "sys.modules['uvloop'] = sys.modules['httptools'] = None\n"
        "from amlsdk.scoring.worker import main\n"
        "main()\n"
    )
    with container(text_bundle(), environment={"AMLSDK_KEYS": "off"}, start=("-c", code)) as (process, url):
        until(lambda: process.poll() is not None or (answers(url) and fetch(url + "/readyz")[0] == 200))
        assert process.poll() is None, process.stderr.read()
        assert fetch(url + "/score", b'{"text": "x"}', **{"content-type": "application/json"}) == (
            200,
            b'{"result":"x"}',
        )
        process.terminate()
        assert process.wait(15) == 0
