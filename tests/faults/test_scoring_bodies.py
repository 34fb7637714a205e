"""Wrong bodies and odd clients: a clear answer to each, memory flat, and the service healthy afterwards."""

import contextlib
import json
import socket
import threading
import time

import pytest
from scoring_bundles import KEYS, SAMPLE, Worker, make_bundle, post, read_all

GOOD = json.dumps(SAMPLE).encode()
MIB = 1 << 20
HUNDRED_MB = 100_000_000


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    settings = {"max_body_bytes": MIB, "read_timeout_s": 1.0, "keep_alive_s": 2.0}
    with Worker(make_bundle(tmp_path_factory.mktemp("faults") / "bundle"), settings=settings) as worker:
        # What is allocated once, is.
        worker.score(b" " * MIB)
        yield worker


@pytest.fixture(autouse=True)
def healthy_afterwards(worker):
    """See that the service answers after each test as before it, and needs no more memory."""
    before = worker.memory()
    yield
    assert worker.score(SAMPLE) == (200, {"result": [3.5]})
    assert worker.ask("GET", "/healthz", key=None)[0] == 200
    # The largest body that is accepted may still be in the allocator's hands.
    assert worker.memory() - before < 8 * MIB


def wait_until_none_is_connected(worker):
    deadline = time.monotonic() + 15
    while worker.tell("stats")["connections"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("body", "status", "code", "part"),
    [
        pytest.param(b"", 400, "InvalidBody", "not JSON", id="empty"),
        pytest.param(b"\x00" * 1000, 400, "InvalidBody", "not JSON", id="zeros"),
        pytest.param(b'{"data": [[1, 2]', 400, "InvalidBody", "not JSON", id="cut"),
        pytest.param(b'{"data": [[NaN, 2]]}', 400, "InvalidBody", "NaN", id="NaN"),
        pytest.param(b'{"data": [["\xff\xfe", 2]]}', 400, "InvalidBody", "UTF-8", id="not UTF-8"),
        pytest.param(b"[" * 10_000 + b"]" * 10_000, 400, "InvalidBody", "too deep", id="deep list"),
        pytest.param(b'{"data":' * 10_000 + b"1" + b"}" * 10_000, 400, "InvalidBody", "too deep", id="deep object"),
        pytest.param(
            json.dumps("[" * 10_000 + "]" * 10_000).encode(), 400, "InvalidBody", "too deep", id="deep within a string"
        ),
        pytest.param(b'{"data": 1}', 422, "SchemaMismatch", "data: a list", id="type"),
        pytest.param(b'{"data": [[1]]}', 422, "SchemaMismatch", "data[0]: 2 values", id="shape"),
        pytest.param(b'{"data": [{"alcohol": 1}]}', 422, "SchemaMismatch", "data[0].malic acid", id="missing"),
        pytest.param(b'{"data": [[1, 2]], "x": 1}', 422, "SchemaMismatch", "no input 'x'", id="extra"),
        pytest.param(b'{"data": [["a", 2]]}', 422, "SchemaMismatch", "data[0].alcohol: a number", id="text"),
        pytest.param(b'{"data": [[1e999, 2]]}', 400, "InvalidBody", "range", id="beyond numbers"),
        pytest.param(
            b'{"data": [[%b, 2]]}' % (b"9" * 5000), 400, "InvalidBody", "range", id="a number of 5 000 digits"
        ),
        pytest.param(
            b'{"data": [' + b"[1,2]," * 20_000 + b"[1]]}", 422, "SchemaMismatch", "data[20000]", id="last row"
        ),
        pytest.param(b'{"data": [{"' + b"x" * 100_000 + b'": 1}]}', 422, "SchemaMismatch", "missing", id="long name"),
    ],
)
def test_a_wrong_body_is_refused_with_what_is_wrong(worker, body, status, code, part):
    found, answer = worker.score(body)
    assert (found, answer["code"]) == (status, code)
    assert part in answer["message"]
    assert len(answer["message"]) < 500


def test_a_body_of_100_mb_is_refused_before_it_is_read(worker):
    head = post(b"").replace(b"content-length: 0", b"content-length: %d" % HUNDRED_MB)
    with socket.create_connection(("127.0.0.1", worker.port), timeout=10) as connection:
        connection.sendall(head)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"BodyTooLarge"' in answer


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_client_that_sends_100_mb_gets_to_read_the_answer(worker, chunked):
    connection = worker.connect()
    piece = b" " * MIB
    pieces = (piece for _ in range(HUNDRED_MB // MIB))
    headers = {"authorization": f"Bearer {KEYS['primary']}", "content-type": "application/json"}
    if not chunked:
        headers["content-length"] = str(HUNDRED_MB // MIB * MIB)
    connection.request("POST", "/score", pieces, headers, encode_chunked=chunked)
    reply = connection.getresponse()
    assert (reply.status, json.loads(reply.read())["code"]) == (413, "BodyTooLarge")
    connection.close()


def test_a_large_body_without_a_key_is_not_read(worker):
    connection = worker.connect()
    connection.request("POST", "/score", b" " * (8 * MIB), {"content-type": "application/json"})
    reply = connection.getresponse()
    assert (reply.status, reply.headers["connection"]) == (401, "close")
    connection.close()


def test_a_large_body_to_another_path_is_thrown_away(worker):
    connection = worker.connect()
    connection.request("POST", "/elsewhere", b" " * (8 * MIB))
    assert connection.getresponse().status == 404
    connection.close()


@pytest.mark.parametrize(
    "beginning",
    [b"POST /sc", post(GOOD)[:40], post(GOOD)[:-5], post(GOOD, headers=["x: y"])[:-30]],
    ids=["in the first line", "in the head", "in the body", "before the body"],
)
def test_a_client_of_one_byte_a_second_is_told_that_it_is_too_slow(worker, beginning):
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", worker.port), timeout=15) as connection:
        connection.sendall(beginning)
        ended = threading.Event()

        def trickle():
            while not ended.wait(0.3):
                with contextlib.suppress(OSError):
                    connection.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            answer = read_all(connection)
        finally:
            ended.set()
            thread.join()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"RequestTimeout"' in answer
    assert 0.5 < time.monotonic() - began < 10


def test_a_connection_without_a_request_is_closed(worker):
    with socket.create_connection(("127.0.0.1", worker.port), timeout=15) as connection:
        assert connection.recv(1) == b""


def test_a_client_that_closes_its_side_is_answered(worker):
    with socket.create_connection(("127.0.0.1", worker.port), timeout=10) as connection:
        connection.sendall(post(GOOD))
        connection.shutdown(socket.SHUT_WR)
        assert b'{"result":[3.5]}' in read_all(connection)


@pytest.mark.parametrize("missing", [1, len(GOOD), len(GOOD) + 10], ids=["body", "no body", "head"])
def test_a_client_that_closes_its_side_too_early_is_told_so(worker, missing):
    with socket.create_connection(("127.0.0.1", worker.port), timeout=10) as connection:
        connection.sendall(post(GOOD)[:-missing])
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"the request ended before its end" in answer


def test_clients_that_vanish_leave_nothing_behind(worker):
    for end in range(1, len(post(GOOD)), 7):
        with socket.create_connection(("127.0.0.1", worker.port), timeout=10) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            connection.sendall(post(GOOD)[:end])
    wait_until_none_is_connected(worker)
    stats = worker.tell("stats")
    assert (stats["in_flight"], stats["waiting"]) == (0, 0)


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(b"GET /" + b"x" * MIB, id="address"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"x-more: " + b"x" * MIB, id="value of a header"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * (MIB // 6), id="headers"),
        pytest.param(
            post(b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
            + b"1\r\n{\r\n0\r\n"
            + b"x: y\r\n" * (MIB // 6),
            id="trailers",
        ),
        pytest.param(
            post(b"").replace(b"content-length: 0", b"transfer-encoding: chunked") + b"1;" + b"x" * MIB,
            id="chunk's size",
        ),
    ],
)
def test_a_head_without_end_is_refused(worker, endless):
    with socket.create_connection(("127.0.0.1", worker.port), timeout=10) as connection:
        connection.sendall(endless)
        answer = read_all(connection)
    assert answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize(
    "request_",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        post(GOOD).replace(b"content-length: ", b"content-length: x"),
        post(GOOD, headers=["transfer-encoding: chunked"]),
        post(GOOD, headers=["content-length: 3"]),
        post(GOOD).replace(b"content-length: ", b"content-length: -"),
    ],
    ids=["text", "TLS", "length", "two lengths", "lengths", "negative"],
)
def test_what_is_not_http_is_refused(worker, request_):
    answer = worker.raw(request_)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.split(b"\r\n\r\n")[1])["code"] == "InvalidRequest"
    assert worker.log() == ""


def test_requests_before_what_is_not_http_are_answered(worker):
    answer = worker.raw(post(GOOD) + b"hello\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b'{"result":[3.5]}' in answer


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
def test_a_request_for_another_protocol_is_answered_in_this_one(worker, upgrade):
    request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: %b\r\n\r\n" % upgrade.encode()
    assert worker.raw(request).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "request_",
    [
        post(GOOD, headers=["connection: upgrade", "upgrade: h2c"]),
        b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n",
    ],
    ids=["a body", "a tunnel"],
)
def test_what_can_not_be_answered_in_this_protocol_is_refused(worker, request_):
    answer = worker.raw(request_)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"\r\n\r\n") == 1
    assert b"connection: close" in answer


def test_a_client_that_reads_no_answers_is_cut(worker):
    request = post(b"{}") * 200

    def send_for_ever(connection):
        while True:
            connection.sendall(request)

    with socket.create_connection(("127.0.0.1", worker.port), timeout=2) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # Which one is the kernel's affair: with so small a buffer it may not even get to hear of the end.
        with pytest.raises((ConnectionError, TimeoutError)):
            send_for_ever(connection)
        wait_until_none_is_connected(worker)


def test_many_clients_with_wrong_bodies_at_once_do_not_disturb_a_good_one(worker):
    wrong = [b"{", b"[" * 10_000, b'{"data": [[1]]}', b'"\xff"', b""]
    threads = [threading.Thread(target=lambda body=body: [worker.score(body) for _ in range(5)]) for body in wrong * 2]
    for thread in threads:
        thread.start()
    good = [worker.score(SAMPLE) for _ in range(20)]
    for thread in threads:
        thread.join()
    assert good == [(200, {"result": [3.5]})] * 20
