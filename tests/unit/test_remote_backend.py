"""The client of a service: addresses, secrets, sockets."""

import contextlib
import hashlib
import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from serving import WORKSPACE, Answering, serving

from amlsdk.errors import Denied, InvalidArgument, Unavailable
from amlsdk.operations import TABLE, Role
from amlsdk.operations.blobs import GetBlob
from amlsdk.operations.runs import ReadOutput
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.remote import RemoteBackend
from amlsdk.service import Principal
from amlsdk.wire import encode_reply

SECRET = "aml_topsecret"  # noqa: S105  # of no service
GOOD = encode_reply(TABLE[GetWorkspace], WORKSPACE)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
WHOLE = HEAD % (b"application/json", len(GOOD)) + GOOD


@contextlib.contextmanager
def scripted(*replies):
    """A server that gives each connection the next reply, as it is written, and closes it."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # A client that does not come is the fault of the test, which then ends.
        listener.settimeout(10)

        def run():
            for reply in replies:
                connection, _ = listener.accept()
                connection.settimeout(10)
                with connection:
                    heard.append(connection.recv(65536))
                    connection.sendall(reply)

        thread = threading.Thread(target=run)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        thread.join()


@contextlib.contextmanager
def client(location, **settings):
    backend = RemoteBackend(location, **settings)
    yield backend.open()
    backend.close()


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("https://AML.example.com/", "https://aml.example.com"),
        ("HTTPS://aml.example.com:443", "https://aml.example.com"),
        ("http://aml.example.com:80/team//", "http://aml.example.com/team"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_url_has_one_form(given, normal):
    """Else one service would have several spools."""
    assert RemoteBackend(given).location == normal


@pytest.mark.parametrize(
    "wrong", ["", "aml.example.com", "ftp://x", "http://", "http://x:port", "http://[x", "http://x?a=b", "http://x/#y"]
)
def test_what_is_no_url_of_a_service_is_refused(wrong):
    with pytest.raises(InvalidArgument):
        RemoteBackend(wrong)


def test_a_secret_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(InvalidArgument, match="give a token instead") as caught:
        RemoteBackend(f"https://user:{SECRET}@aml.example.com")
    assert SECRET not in str(caught.value)


def test_the_spool_is_a_folder_of_the_service(tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path))
    one, same, other = (RemoteBackend(url).spool for url in ("http://a", "http://A:80/", "http://b"))
    assert one == same != other
    assert one.shipped
    assert one.blobs is None
    assert {one.journals.parent, one.runs.parent} == {one.cache.parent}
    assert one.journals.is_relative_to(tmp_path / "spool")
    assert list(tmp_path.iterdir()) == []


def test_the_spool_is_below_the_home_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("AMLSDK_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert RemoteBackend("http://a").spool.runs.is_relative_to(tmp_path / ".amlsdk" / "spool")


def test_a_path_before_the_routes_is_kept():
    with scripted(WHOLE) as (url, heard), client(f"{url}/team/") as service:
        assert service.send(GetWorkspace()) == WORKSPACE
    assert heard[0].startswith(b"GET /team/v1/workspace HTTP/1.1\r\n")


def test_a_service_knows_its_caller_by_the_token():
    with pytest.raises(InvalidArgument, match="can't be opened for 'ada'"):
        RemoteBackend("http://a").open(Principal(name="ada", role=Role.OWNER))


@pytest.mark.parametrize("as_function", [False, True])
def test_a_token_is_shown_to_the_service(as_function):
    token = (lambda: SECRET) if as_function else SECRET
    with scripted(WHOLE) as (url, heard), client(url, token=token) as service:
        service.send(GetWorkspace())
    assert f"Authorization: Bearer {SECRET}\r\n".encode() in heard[0]


def test_a_token_is_asked_for_each_time():
    """So that one which expires can be renewed."""
    tokens = iter(["first", "second"])
    reply = b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with scripted(reply, WHOLE) as (url, heard), client(url, token=lambda: next(tokens)) as service:
        service.send(GetWorkspace())
    assert [b"Bearer first" in heard[0], b"Bearer second" in heard[1]] == [True, True]


def test_a_token_of_the_environment_is_used(monkeypatch):
    """So that a pickled object reconnects."""
    monkeypatch.setenv("AMLSDK_TOKEN", SECRET)
    with scripted(WHOLE) as (url, heard), client(url) as service:
        service.send(GetWorkspace())
    assert SECRET.encode() in heard[0]


@pytest.mark.parametrize("token", [f"{SECRET}\n", f"{SECRET} x", f"{SECRET}\r\nX: y", f"{SECRET}å"])
def test_a_token_that_no_header_carries_is_refused_and_not_repeated(token):
    with client("http://127.0.0.1:9", token=token) as service, pytest.raises(InvalidArgument, match="token") as caught:
        service.send(GetWorkspace())
    assert SECRET not in str(caught.value)


def test_a_token_is_nowhere_to_be_read(caplog):
    """Not in reprs, logs, pickles or errors, of the service's refusal and of its absence."""
    reply = b'{"code": "Denied", "message": "no"}'
    denied = HEAD.replace(b"200 OK", b"403 No") % (b"application/json", len(reply)) + reply
    said = []
    with caplog.at_level(logging.DEBUG), scripted(denied) as (url, _):
        backend = RemoteBackend(url, token=SECRET)
        with pytest.raises(Denied) as caught:
            backend.open().send(GetWorkspace())
        said.append(repr(caught.value))
    gone = RemoteBackend(url, token=SECRET, deadline_s=0.2)
    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable) as caught:
        gone.open().send(GetWorkspace())
    service = backend.open()
    said += [
        repr(caught.value),
        caplog.text,
        repr(backend),
        repr(service),
        repr(vars(service)),
        repr(vars(service._connection)),
    ]
    said += [repr(pickle.dumps(backend)), repr(pickle.dumps(service._connection._bearer))]
    backend.close()
    assert "Connection" in caplog.text or "connection" in caplog.text
    assert not [text for text in said if SECRET in text]


def test_an_unpickled_backend_reconnects():
    with serving() as server:
        backend = pickle.loads(pickle.dumps(RemoteBackend(server.url, token=SECRET, deadline_s=7.0)))
        assert backend.open().send(GetWorkspace()) == WORKSPACE
        assert (backend.location, backend.open()._patience.deadline_s) == (server.url, 7.0)
        backend.close()


def test_a_service_that_is_not_there_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with (
        client(url, deadline_s=0.2) as service,
        pytest.raises(Unavailable, match="connection refused; see that") as caught,
    ):
        service.send(GetWorkspace())
    assert url in str(caught.value)


def test_a_name_that_is_none_is_said():
    said = pytest.raises(Unavailable, match=r"was tried once .*aml\.invalid: its name can't be resolved")
    with client("http://aml.invalid", deadline_s=0.0) as service, said:
        service.send(GetWorkspace())


def test_a_service_that_is_silent_is_unavailable():
    """A connection that is taken and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        said = pytest.raises(Unavailable, match="no answer in time")
        with client(url, timeout_s=0.1, deadline_s=0.0) as service, said:
            service.send(GetWorkspace())


def test_a_cut_reply_is_asked_for_again():
    """Also where the connection ends in the head, or before it."""
    with scripted(b"", WHOLE[:20], WHOLE[:-5], WHOLE) as (url, heard), client(url) as service:
        assert service.send(GetWorkspace()) == WORKSPACE
    assert len(heard) == 4


def test_a_stream_whose_head_is_cut_is_asked_for_again():
    """Without its length an empty rest would pass for all there is."""
    whole = HEAD % (b"application/octet-stream", 5) + b"12345"
    cut = whole[: whole.index(b"Content-Length")]
    with scripted(cut, whole) as (url, heard), client(url) as service:
        assert service.send(GetBlob(digest=hashlib.sha256(b"12345").hexdigest())).read() == b"12345"
    assert len(heard) == 2


def test_a_cut_stream_is_unavailable():
    """What was taken can't be taken back, so the caller is told."""
    part = HEAD % (b"application/octet-stream", 10) + b"12345"
    with scripted(part, b"") as (url, _), client(url, deadline_s=0.1) as service:
        stream, taken = service.send(ReadOutput(run_id="r")), []
        with pytest.raises(Unavailable, match="ReadOutput: the reply was cut off"):
            taken.extend(stream)
    assert b"".join(taken) in (b"", b"12345")


def test_a_stream_begins_again():
    part = HEAD % (b"application/octet-stream", 5) + b"12345"
    with scripted(part, part) as (url, heard), client(url) as service:
        stream = service.send(GetBlob(digest="d", start=3))
        assert (stream.size_bytes, stream.read(), stream.read()) == (5, b"12345", b"12345")
    assert [b"GET /v1/blobs/d?start=3 HTTP/1.1" in text for text in heard] == [True, True]


def test_closing_twice_is_no_error_and_nothing_is_sent_after():
    with serving(service := Answering()) as server:
        backend = RemoteBackend(server.url)
        backend.open().send(GetWorkspace())
        backend.close()
        backend.close()
        with pytest.raises(Unavailable, match="closed; connect again"):
            backend.open().send(GetWorkspace())
    assert len(service.asked) == 1


def test_a_given_session_is_used_and_stays_open():
    with serving() as server, requests.Session() as session:
        session.headers["X-Team"] = "wine"
        for _ in range(2):
            backend = RemoteBackend(server.url, session=session)
            assert backend.open().send(GetWorkspace()) == WORKSPACE
            backend.close()
        assert session.adapters["http://"].poolmanager.pools


def test_a_proxy_is_not_asked_for_this_machine(monkeypatch):
    """Its loopback address is its own."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving() as server, client(server.url, deadline_s=0.0) as service:
        assert service.send(GetWorkspace()) == WORKSPACE


def test_threads_share_a_client():
    with serving() as server, client(server.url) as service, ThreadPoolExecutor(16) as pool:
        assert all(found == WORKSPACE for found in pool.map(service.send, [GetWorkspace()] * 200))


FORK = """
import os, sys, threading
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.remote import RemoteBackend
import requests
session = requests.Session() if sys.argv[2] == "given" else None
service = RemoteBackend(sys.argv[1], session=session).open()
service.send(GetWorkspace())
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        ok = all(service.send(GetWorkspace()).name == "wine" for _ in range(50))
        os._exit(0 if ok else 1)
    children.append(child)
ok = all(service.send(GetWorkspace()).name == "wine" for _ in range(50))
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
sys.exit(0 if ok and codes == [0, 0, 0] else f"{ok} {codes}")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("session", ["own", "given"])
def test_forked_children_use_sockets_of_their_own(session):
    """Four processes that send at once each get their own replies."""
    with serving() as server:
        done = subprocess.run(
            [sys.executable, "-c", FORK, server.url, session], capture_output=True, text=True, timeout=60
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_client_loads_no_server_and_no_database():
    code = "import sys, amlsdk.remote; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"sqlalchemy", "alembic", "starlette", "uvicorn", "anyio"} & set(done.stdout.split()) == set()
