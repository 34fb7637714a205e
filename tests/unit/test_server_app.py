"""What the server makes of requests, good and bad."""

import json
import logging
import os

import pytest
from serving import WORKSPACE, Answering, ask, raw_connection, serving

from amlsdk.errors import BY_CODE, Conflict, Unavailable
from amlsdk.operations.models import ListModels
from amlsdk.operations.projects import CreateProject
from amlsdk.records.pages import Ack, Page
from amlsdk.records.projects import ProjectRecord
from amlsdk.server import bodies, ending
from amlsdk.server.app import make_app
from amlsdk.server.run import ServerThread
from amlsdk.server.single import SingleHost

JSON = {"Content_Type": "application/json"}
BYTES = {"Content_Type": "application/octet-stream"}
DIGEST = "a" * 64


def taken(_):
    raise Conflict("the name 'wine' is taken")


def broken(_):
    raise RuntimeError("a secret of the service")


@pytest.fixture(scope="module")
def service():
    return Answering(
        CreateProject=lambda request: ProjectRecord(id=request.id, name=request.name, created_at=WORKSPACE.created_at),
        ListModels=lambda _: Page(items=()),
        ListProjects=taken,
        ListExperiments=broken,
        PutBlob=lambda request: Ack() if request.content.read() == request.content.read() else None,
    )


@pytest.fixture(scope="module")
def server(service):
    with serving(service) as running:
        yield running


def test_a_reply_is_json(server):
    status, headers, body = ask(server, "GET", "/v1/workspace")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert body.items() >= {"id": "w", "name": "wine", "created_at": "2026-01-02T00:00:00Z", "slots": 2}.items()


def test_a_body_and_a_query_become_a_request(server, service):
    ask(server, "POST", "/v1/projects", json.dumps({"id": "i", "name": "å"}), **JSON)
    assert service.asked[-1] == CreateProject(id="i", name="å")
    ask(server, "GET", "/v1/models?name=a%20b&version=2&latest=true&after=")
    assert service.asked[-1] == ListModels(name="a b", version=2, latest=True, after="")


def test_a_head_has_no_body(server):
    status, headers, body = ask(server, "HEAD", "/v1/workspace")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 0


def test_an_error_has_its_status_code_and_text(server):
    status, _, body = ask(server, "GET", "/v1/projects")
    assert (status, body) == (409, {"code": "Conflict", "message": "the name 'wine' is taken"})


def test_an_unknown_error_tells_only_a_reference(server, caplog):
    """What happened is in the log, under that reference, and not in the reply."""
    with caplog.at_level(logging.ERROR, "amlsdk.server"):
        status, _, body = ask(server, "GET", "/v1/experiments")
    assert (status, body["code"]) == (500, "Internal")
    assert "secret" not in body["message"]
    reference = body["message"].rsplit(" ", 1)[1]
    [record] = [record for record in caplog.records if record.name == "amlsdk.server"]
    assert reference in record.getMessage()
    assert "a secret of the service" in str(record.exc_info[1])


@pytest.mark.parametrize(
    ("verb", "path", "body", "headers", "status", "code"),
    [
        ("GET", "/", None, {}, 404, "NotFound"),
        ("GET", "/v1", None, {}, 404, "NotFound"),
        ("GET", "/v1/nothing", None, {}, 404, "NotFound"),
        ("GET", "/v1/workspace/", None, {}, 404, "NotFound"),
        ("GET", "//v1/workspace", None, {}, 404, "NotFound"),
        ("GET", "/v1/runs/a/b/c/d/e", None, {}, 404, "NotFound"),
        ("GET", "/v1/runs/%ff", None, {}, 400, "InvalidArgument"),
        ("GET", "/v1/models?name=%ff", None, {}, 400, "InvalidArgument"),
        ("GET", "/v1/models?" + "a=1&" * 101, None, {}, 400, "InvalidArgument"),
        ("GET", "/v1/models?version=one", None, {}, 400, "InvalidArgument"),
        ("GET", "/v1/models?name=a&name=b", None, {}, 400, "InvalidArgument"),
        ("GET", "/w/%ff/v1/workspace", None, {}, 400, "InvalidArgument"),
        ("GET", "/w/a/b/v1/workspace", None, {}, 404, "NotFound"),
        ("GET", "/w/wine/workspace", None, {}, 404, "NotFound"),
        ("PUT", "/v1/workspace", None, {}, 405, "InvalidArgument"),
        ("GET", "/v1/runs/r/cancel", None, {}, 405, "InvalidArgument"),
        ("OPTIONS", "/v1/runs", None, {}, 405, "InvalidArgument"),
        ("POST", "/healthz", None, {}, 405, "InvalidArgument"),
        ("POST", "/v1/projects", "{", JSON, 400, "InvalidArgument"),
        ("POST", "/v1/projects", "[]", JSON, 400, "InvalidArgument"),
        ("POST", "/v1/projects", "\xff", JSON, 400, "InvalidArgument"),
        ("POST", "/v1/projects", '{"id": "i", "name": NaN}', JSON, 400, "InvalidArgument"),
        ("POST", "/v1/projects", '{"id": "i", "id": "j", "name": "n"}', JSON, 400, "InvalidArgument"),
        ("POST", "/v1/projects", "[" * 100_000, JSON, 400, "InvalidArgument"),
        ("POST", "/v1/projects", None, {}, 400, "InvalidArgument"),
        ("POST", "/v1/projects", "{}", {}, 415, "InvalidArgument"),
        ("POST", "/v1/projects", "{}", {"Content_Type": "text/plain"}, 415, "InvalidArgument"),
        ("POST", "/v1/projects", "{}", JSON | {"Content_Encoding": "gzip"}, 415, "InvalidArgument"),
        ("PUT", f"/v1/blobs/{DIGEST}", "x", JSON, 415, "InvalidArgument"),
        ("PUT", f"/v1/blobs/{DIGEST}", "x", BYTES | {"Content_Encoding": "gzip"}, 415, "InvalidArgument"),
    ],
)
def test_what_is_wrong_is_refused_in_one_form(server, verb, path, body, headers, status, code):
    """Whatever refuses it, the reply is JSON with a code and a message."""
    found, _, answer = ask(server, verb, path, body, **headers)
    assert (found, answer["code"], set(answer)) == (status, code, {"code", "message"})
    assert code in BY_CODE


@pytest.mark.parametrize(
    ("path", "status", "asked_for"),
    [
        ("/v1/runs/..%2f..", 404, ".." + "/.."),
        ("/v1/runs/..%2f..%2fworkspace", 404, "../../workspace"),
        ("/v1/runs/x%2fcontext", 404, "x/context"),
        ("/v1/runs/%2e%2e", 404, ".."),
        ("/v1/runs/..", 404, ".."),
        ("/v1/runs/%00", 404, "\0"),
        ("/v1/runs/", 404, ""),
    ],
)
def test_a_quoted_path_is_only_ever_an_id(service, server, path, status, asked_for):
    """Slashes and dots in an id reach no other route: they are the text of that id."""
    found, _, answer = ask(server, "GET", path)
    assert (found, answer["message"]) == (status, "nothing answers GetRun")
    assert service.asked[-1].run_id == asked_for


def test_what_is_allowed_is_said(server):
    _, headers, answer = ask(server, "PUT", "/v1/runs/r")
    assert headers["Allow"] == "DELETE, GET"
    assert "takes DELETE, GET, not PUT" in answer["message"]


def test_a_field_has_one_place(server, service):
    """A query beside a JSON body, and a body beside a query, say nothing: a form of another site can't either."""
    status, _, answer = ask(server, "POST", "/v1/projects?id=i&name=n")
    assert (status, answer["message"]) == (400, "CreateProject: id, name are missing")
    ask(server, "GET", "/v1/models?name=a", json.dumps({"name": "b", "version": 2}), **JSON)
    assert service.asked[-1] == ListModels(name="a")


@pytest.mark.parametrize(
    ("verb", "path", "headers", "status"),
    [
        ("PUT", "/v1/nothing", BYTES, 404),
        ("PUT", "/v1/runs/r", BYTES, 405),
        ("PUT", f"/v1/blobs/{DIGEST}", JSON, 415),
        ("PUT", f"/v1/blobs/{DIGEST}?a=%ff", BYTES, 400),
        ("POST", "/v1/runs/r/journals/w?offset=0&digest=d", BYTES, 413),
    ],
)
def test_who_is_refused_while_sending_still_learns_why(server, verb, path, headers, status):
    """What is on its way is taken for a while: a connection that is closed at once would lose the reply."""
    found, said, answer = ask(server, verb, path, b"x" * (20 << 20), **headers)
    assert (found, said["Connection"]) == (status, "close")
    assert answer["code"] in BY_CODE


def test_who_is_refused_while_silent_is_not_waited_for_long(server, monkeypatch):
    monkeypatch.setattr(ending, "_LINGER_S", 0.05)
    with raw_connection(server) as connection:
        connection.sendall(b"PUT /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("path", ["/v1/projects", f"/v1/blobs/{DIGEST}"])
def test_a_body_that_does_not_come_is_not_waited_for(server, service, monkeypatch, path):
    monkeypatch.setattr(bodies, "_SILENCE_S", 0.05)
    monkeypatch.setattr(ending, "_LINGER_S", 0.05)
    verb, kind = ("POST", "application/json") if path == "/v1/projects" else ("PUT", "application/octet-stream")
    before = len(service.asked)
    with raw_connection(server) as connection:
        head = f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 9\r\n\r\n{{"
        connection.sendall(head.encode())
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"Unavailable"' in answer
    assert b"nothing of the body came for 0.05 s; send it again" in answer
    assert len(service.asked) == before


def test_large_bodies_wait_on_a_disk(monkeypatch):
    """Where nothing else is chosen: /tmp is memory on many systems."""
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    assert bodies._spool_folder() == ("/var/tmp" if os.access("/var/tmp", os.W_OK) else None)
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    assert bodies._spool_folder() is None


def test_an_oversized_body_is_refused_before_it_comes(server, monkeypatch):
    """By the length it names, so that nothing of it is kept."""
    monkeypatch.setattr(ending, "_LINGER_S", 0.05)
    with raw_connection(server) as connection:
        connection.sendall(
            b"POST /v1/projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999999999\r\n\r\n{"
        )
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"InvalidArgument"' in answer


def test_an_oversized_body_of_unknown_length_is_refused(server, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_JSON", 1000)
    status, _, answer = ask(server, "POST", "/v1/projects", iter([b"x" * 600, b"x" * 600]), **JSON)
    assert (status, answer["message"]) == (413, "CreateProject: the body has more than 1000 bytes; send less at once")


def test_a_streamed_body_may_be_read_twice(server):
    status, _, answer = ask(server, "PUT", f"/v1/blobs/{DIGEST}", iter([b"x" * 3_000_000]), **BYTES)
    assert (status, answer) == (200, {})


def test_health_readiness_and_description(server):
    assert ask(server, "GET", "/healthz")[2] == {"status": "ok"}
    assert ask(server, "GET", "/readyz")[2] == {"status": "ready"}
    assert ask(server, "GET", "/openapi.json")[2]["openapi"] == "3.1.0"


def test_a_service_that_can_not_answer_is_not_ready():
    def full(_):
        raise Unavailable("the disk is full")

    with serving(GetWorkspace=full) as server:
        assert ask(server, "GET", "/healthz")[0] == 200
        assert ask(server, "GET", "/readyz")[::2] == (503, {"code": "Unavailable", "message": "the disk is full"})


def test_a_taken_port_is_said(server):
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(Unavailable, match=f"port {port} of 127.0.0.1 can't be had"):
        ServerThread(Answering(), port=port)


def test_a_port_is_taken_before_the_first_request():
    """Of two that begin at once, one learns that it can't, before it has made anything."""
    first = ServerThread(Answering())
    with pytest.raises(Unavailable, match="can't be had"):
        ServerThread(Answering(), port=int(first.url.rsplit(":", 1)[1]))
    first.stop()


def test_stopping_twice_is_no_error():
    server = ServerThread(Answering())
    server.stop()
    with serving() as running:
        running.stop()


def test_the_application_needs_no_start():
    """It can be put under any server of ASGI applications."""
    assert make_app(SingleHost(Answering())).routes
