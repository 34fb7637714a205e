"""What broken and hostile clients send: each is refused with a clear error, and the server lives on."""

import socket
import time

import pytest
from raw_client import ask, connect, dripped, refusal, tell, until

from amlsdk.server import ending, protocol
from amlsdk.server.limits import Limits
from amlsdk.server.run import ServerThread
from amlsdk.tenancy import TenantHost

LONG = 1 << 21


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    made = TenantHost(tmp_path_factory.mktemp("service") / "root")
    yield made
    made.close()


@pytest.fixture(scope="module")
def running(host):
    with ServerThread(host, limits=Limits(connections=50, stranger_burst=10_000)) as server:
        yield server


@pytest.fixture
def server(running, host):
    """The server, which answers after the test as it did before."""
    yield running
    status, _, answer = ask(running, "GET", "/v1/workspace", token=host.first_token)
    assert (status, answer["name"]) == (200, "default")


HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


def test_a_head_that_does_not_come_to_its_end_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(protocol, "_HEAD_S", 0.1)
    status, code, message = refusal(tell(server, HEAD))
    assert (status, code) == (408, "Unavailable")
    assert "the head of the request did not come" in message


def test_a_head_that_comes_in_drops_is_not_waited_for(server, monkeypatch):
    """Each byte is soon after the last, and still the whole has its time."""
    monkeypatch.setattr(protocol, "_HEAD_S", 0.3)
    with connect(server) as connection:
        connection.sendall(HEAD + b"X: ")
        said = dripped(connection, b"y")
    assert refusal(said)[0] == 408


def test_a_second_head_has_its_time_too(server, monkeypatch):
    monkeypatch.setattr(protocol, "_HEAD_S", 0.1)
    said = tell(server, HEAD + b"\r\n", HEAD)
    assert said.startswith(b"HTTP/1.1 200 OK")
    assert refusal(said)[0] == 408


def test_who_says_nothing_is_hung_up_on(server, monkeypatch):
    monkeypatch.setattr(protocol, "_HEAD_S", 0.1)
    assert tell(server) == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * LONG,
        b"GET /healthz?" + b"a" * LONG,
        HEAD + b"X: " + b"a" * LONG,
        HEAD + b"X" * LONG,
        b"G" * LONG,
    ],
    ids=["path", "query", "value", "name", "method"],
)
def test_a_head_without_end_is_refused(server, sent):
    status, code, _ = refusal(tell(server, sent))
    assert status in (400, 431)
    assert code == "InvalidArgument"


def test_too_many_fields_are_refused(server):
    assert refusal(tell(server, HEAD + b"X: y\r\n" * 201 + b"\r\n"))[0] == 400


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"\x00\x00\x00\x00\r\n\r\n",
        b"GET /heal\x00thz HTTP/1.1\r\n\r\n",
        b"CONNECT localhost:1 HTTP/1.1\r\n\r\n",
        HEAD + b"X\x00: y\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1e9\r\n\r\n",
        HEAD + b"Content-Length: 99999999999999999999999999\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(server, sent):
    """Also what two servers behind one another would take for two different things."""
    status, code, _ = refusal(tell(server, sent))
    assert status in (400, 404, 405)
    assert code in ("InvalidArgument", "NotFound")


CHUNKED = (
    b"POST /v1/projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
)


def signed(host, head=CHUNKED):
    return head + f"Authorization: Bearer {host.first_token}\r\n\r\n".encode()


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n",
        b"-5\r\nabcde\r\n",
        b"5\r\nabcdeXX",
        b"fffffffffffffffffff\r\n",
        b"5;" + b"x" * LONG,
        b"1\r\n{\r\n0\r\n" + b"X: y\r\n" * (LONG // 6),
        b"1\r\n{\r\n0\r\nX: " + b"y" * LONG,
    ],
    ids=["no number", "negative", "too long", "huge", "extension", "trailers", "trailer"],
)
def test_chunked_nonsense_is_refused(server, host, body):
    status, code, _ = refusal(tell(server, signed(host), body))
    assert (status, code) == (400, "InvalidArgument")


def test_a_body_that_comes_in_drops_is_not_waited_for(server, host, monkeypatch):
    monkeypatch.setattr(ending, "_PATIENCE_S", 0.2)
    monkeypatch.setattr(ending, "_LINGER_S", 0.1)
    with connect(server) as connection:
        connection.sendall(signed(host))
        said = dripped(connection, b"1\r\n \r\n")
    status, code, message = refusal(said)
    assert (status, code) == (408, "Unavailable")
    assert "send at least 1024 a second" in message


def test_who_does_not_take_the_reply_is_hung_up_on(server, monkeypatch):
    """However much of it there is, and however much was asked for."""
    monkeypatch.setattr(protocol, "_STALLED_S", 0.3)
    with connect(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        begun = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012  # any of them may meet it
            while time.monotonic() - begun < 20:
                connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)


def test_requests_in_one_go_are_answered_in_turn(server):
    """As many as were sent, and what is nonsense after them does not harm them."""
    said = tell(server, (HEAD + b"\r\n") * 2000 + b"nonsense\r\n\r\n")
    assert said.count(b"HTTP/1.1 200 OK") == 2000


def test_another_protocol_is_not_spoken(server):
    """The request is answered as if it had not been asked for, and the connection ends."""
    said = tell(server, HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"\x81\x05hello" * 1000)
    assert said.startswith(b"HTTP/1.1 200 OK")
    assert said.count(b"HTTP/1.1") == 1


def test_connections_have_a_bound(server):
    """Who comes too late learns why; who is there already is served."""
    held = [connect(server) for _ in range(50)]
    try:
        held[0].sendall(HEAD + b"\r\n")
        assert held[0].recv(100).startswith(b"HTTP/1.1 200 OK")
        status, code, message = refusal(tell(server))
        assert (status, code) == (503, "Unavailable")
        assert "too many connections" in message
    finally:
        for connection in held:
            connection.close()
    until(lambda: ask(server, "GET", "/healthz")[0] == 200)
