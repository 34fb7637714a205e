"""What the client makes of faults that a real server will not give on demand."""

import datetime as dt
import itertools
import re
import threading
from email.utils import format_datetime
from typing import ClassVar

import attrs
import pytest
import requests
import responses
from serving import WORKSPACE, run_record

from amlsdk.errors import AmlError, Conflict, InvalidArgument, NotFound, OperationFailed, Unavailable
from amlsdk.operations import TABLE
from amlsdk.operations.blobs import GetBlob, PutBlob
from amlsdk.operations.projects import CreateProject
from amlsdk.operations.runs import GetRun
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.records.streams import ByteStream
from amlsdk.remote import RemoteBackend
from amlsdk.remote.downloads import stream_of
from amlsdk.wire import encode_error, encode_reply

URL = "https://aml.example.com"
HERE = f"{URL}/v1/workspace"
BLOB = f"{URL}/v1/blobs/d"
GOOD = encode_reply(TABLE[GetWorkspace], WORKSPACE)


@pytest.fixture
def net():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def service():
    backend = RemoteBackend(URL, token="aml_secret", deadline_s=60.0)
    yield backend.open()
    backend.close()


@pytest.fixture
def slept(service):
    """The pauses of the client, which take no time here."""
    pauses = []
    service._patience = attrs.evolve(service._patience, sleep=pauses.append)
    return pauses


def good(net, url=HERE):
    return net.add(responses.GET, url, body=GOOD, content_type="application/json")


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429},
        {"status": 502, "body": "<html>Bad Gateway</html>", "content_type": "text/html"},
        {"status": 503, "body": "starting"},
        {"status": 503, "body": '{"code": 503, "message": "no healthy upstream"}', "content_type": "application/json"},
        {"status": 504},
        {"body": requests.ConnectionError("reset")},
        {"body": requests.ConnectTimeout("slow")},
        {"body": requests.ReadTimeout("slower")},
        {"body": requests.exceptions.ChunkedEncodingError("cut")},
    ],
    ids=["429", "502", "503", "503-json", "504", "reset", "connect-timeout", "read-timeout", "cut"],
)
def test_what_may_pass_is_tried_again(net, service, slept, fault):
    net.add(responses.GET, HERE, **fault)
    net.add(responses.GET, HERE, **fault)
    good(net)
    assert service.send(GetWorkspace()) == WORKSPACE
    assert len(slept) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed(net, service, slept, status):
    net.add(responses.GET, HERE, status=status, headers={"Retry-After": "7"})
    good(net)
    service.send(GetWorkspace())
    assert slept == [7.0]


def test_retry_after_may_be_a_date(net, service, slept):
    soon = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=20)
    net.add(responses.GET, HERE, status=503, headers={"Retry-After": format_datetime(soon, usegmt=True)})
    good(net)
    service.send(GetWorkspace())
    assert 15 < slept[0] <= 20


@pytest.mark.parametrize("header", ["", "soon", "-5", "1e9", "Mon, 99 Foo 2026", "Mon, 01 Jan 2001 00:00:00 GMT"])
def test_a_retry_after_that_can_not_be_meant_is_passed_over(net, service, slept, header):
    net.add(responses.GET, HERE, status=503, headers={"Retry-After": header})
    good(net)
    service.send(GetWorkspace())
    assert 0 <= slept[0] <= 8


def test_a_service_that_wants_to_be_left_alone_for_long_is_unavailable(net, service, slept):
    """Nobody waits an hour, and asking before would be rude."""
    net.add(responses.GET, HERE, status=429, headers={"Retry-After": "3600"})
    with pytest.raises(Unavailable, match=r"was tried once .* status 429: .* left alone for 3600 s"):
        service.send(GetWorkspace())
    assert slept == []


def test_a_service_that_says_that_it_is_unavailable_is_believed(net, service, slept):
    """It looked itself: a full disk is an error at once, with the same text as in a folder."""
    status, body = encode_error(Unavailable("the disk is full"))
    net.add(responses.GET, HERE, status=status, body=body, content_type="application/json")
    with pytest.raises(Unavailable) as caught:
        service.send(GetWorkspace())
    assert str(caught.value) == "the disk is full"
    assert slept == []


@pytest.mark.parametrize(
    "error", [NotFound("x"), Conflict("y"), InvalidArgument("z"), OperationFailed("w"), AmlError("v")]
)
def test_an_error_of_the_service_is_not_tried_again(net, service, slept, error):
    status, body = encode_error(error)
    net.add(responses.GET, HERE, status=status, body=body)
    with pytest.raises(AmlError) as caught:
        service.send(GetWorkspace())
    assert (type(caught.value), str(caught.value), slept) == (type(error), str(error), [])


@pytest.mark.parametrize(("silent_s", "said"), [(0.05, 1), (60.0, 0)])
def test_whoever_waits_is_told_once_why(net, monkeypatch, caplog, silent_s, said):
    monkeypatch.setattr("amlsdk.remote.retrying._SILENT_S", silent_s)
    net.add(responses.GET, HERE, body=requests.ConnectionError("refused"))
    service = RemoteBackend(URL, deadline_s=1.0).open()
    with pytest.raises(Unavailable):
        service.send(GetWorkspace())
    told = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == said
    assert all("it is tried again, for up to 1 s" in line for line in told)


def test_after_the_deadline_it_says_what_was_tried(net):
    net.add(responses.GET, HERE, status=502, body="<html><h1>Bad Gateway</h1></html>")
    service = RemoteBackend(URL, deadline_s=0.3).open()
    with pytest.raises(Unavailable) as caught:
        service.send(GetWorkspace())
    times = len(net.calls)
    assert times > 1
    assert re.search(rf"GetWorkspace was tried {times} times in 0 s: status 502: .*Bad Gateway", str(caught.value))


def test_closing_ends_a_client_that_tries_again(net):
    """`close()` in one thread does not wait for the patience of another."""
    tried = threading.Event()
    net.add_callback(responses.GET, HERE, callback=lambda _: (tried.set(), (503, {"Retry-After": "50"}, ""))[1])
    backend = RemoteBackend(URL)
    closer = threading.Thread(target=lambda: tried.wait() and backend.close())
    closer.start()
    with pytest.raises(Unavailable, match="closed"):
        backend.open().send(GetWorkspace())
    closer.join()


@pytest.mark.parametrize(
    ("body", "kind"),
    [("<html>Sign in</html>", "text/html"), ("{", "application/json"), ('{"id": 3}', "application/json")],
)
def test_a_reply_that_is_not_the_services_is_unavailable(net, service, slept, body, kind):
    """A proxy that answers with a page of its own."""
    net.add(responses.GET, HERE, body=body, content_type=kind)
    with pytest.raises(Unavailable, match="GetWorkspace: the service's reply can't be read"):
        service.send(GetWorkspace())
    assert slept == []


def test_a_page_is_not_taken_for_a_blob(net, service):
    net.add(responses.GET, BLOB, body="<html>Sign in</html>", content_type="text/html")
    with pytest.raises(Unavailable, match="GetBlob: the reply is text/html, not the bytes asked for"):
        service.send(GetBlob(digest="d"))


def test_a_page_with_an_error_status_is_unavailable(net, service):
    net.add(responses.GET, HERE, status=403, body="<html>Blocked by policy</html>", content_type="text/html")
    with pytest.raises(Unavailable, match="status 403 and no error of its own: '<html>Blocked by policy</html>'"):
        service.send(GetWorkspace())


def test_a_stream_is_sent_whole_each_time(net, service, slept):
    """A retried upload begins again at its first byte."""
    sent = []

    def take(request):
        sent.append(b"".join(request.body))
        return (502, {}, "") if len(sent) == 1 else (200, {"Content-Type": "application/json"}, "{}")

    net.add_callback(responses.PUT, BLOB, callback=take)
    service.send(PutBlob(digest="d", content=ByteStream(begin=lambda: iter([b"ab", b"", b"c"]), size_bytes=3)))
    assert sent == [b"abc", b"abc"]
    assert net.calls[0].request.headers["Content-Length"] == "3"


@pytest.mark.parametrize("said", [2, 4])
def test_content_that_changes_while_it_is_sent_is_an_error_of_the_content(net, service, slept, said):
    net.add_callback(responses.PUT, BLOB, callback=lambda request: (200, {}, b"".join(request.body)))
    with pytest.raises(InvalidArgument, match=f"what is sent had {said} bytes"):
        service.send(PutBlob(digest="d", content=ByteStream(begin=lambda: iter([b"abc"]), size_bytes=said)))
    assert slept == []


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_is_followed_with_verb_and_body(net, service, status):
    other = "https://other.example.com/v1/projects"
    net.add(responses.POST, f"{URL}/v1/projects", status=status, headers={"Location": other})
    net.add(responses.POST, other, status=404, body='{"code": "NotFound", "message": "reached"}')
    with pytest.raises(NotFound, match="reached"):
        service.send(CreateProject(id="i", name="n"))
    assert net.calls[0].request.body == net.calls[1].request.body


def test_a_token_goes_to_its_service_only(net, service):
    """Within the service a redirect keeps it; another host, port or scheme never sees it."""
    places = [HERE, f"{URL}/elsewhere", "https://aml.example.com:444/there", "https://other.example.com/here"]
    for place, target in itertools.pairwise(places):
        net.add(responses.GET, place, status=302, headers={"Location": target})
    good(net, places[-1])
    assert service.send(GetWorkspace()) == WORKSPACE
    shown = [call.request.headers.get("Authorization") for call in net.calls]
    assert shown == ["Bearer aml_secret", "Bearer aml_secret", None, None]


def test_a_netrc_does_not_take_the_tokens_place(net, service, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login ada password lovelace\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    net.add(responses.GET, HERE, status=302, headers={"Location": "https://other.example.com/here"})
    good(net, "https://other.example.com/here")
    service.send(GetWorkspace())
    assert [call.request.headers.get("Authorization") for call in net.calls] == ["Bearer aml_secret", None]


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_lose_the_body_is_not_followed(net, service, status):
    net.add(
        responses.POST, f"{URL}/v1/projects", status=status, headers={"Location": "https://new.example.com/v1/projects"}
    )
    with pytest.raises(Unavailable, match=r"has moved; connect to where it redirects: https://new\.example\.com"):
        service.send(CreateProject(id="i", name="n"))


def test_a_redirect_away_from_encryption_is_not_followed(net, service):
    net.add(responses.GET, HERE, status=302, headers={"Location": "http://aml.example.com/v1/workspace"})
    with pytest.raises(Unavailable, match="without encryption"):
        service.send(GetWorkspace())
    assert len(net.calls) == 1


def test_redirects_in_a_circle_end(net, service):
    net.add(responses.GET, HERE, status=302, headers={"Location": HERE})
    with pytest.raises(Unavailable, match="redirects more than 3 times"):
        service.send(GetWorkspace())


def test_a_certificate_that_is_not_trusted_is_said_at_once(net, service, slept):
    net.add(responses.GET, HERE, body=requests.exceptions.SSLError("certificate verify failed"))
    with pytest.raises(Unavailable, match=r"certificate verify failed.*session\.verify"):
        service.send(GetWorkspace())
    assert slept == []


def test_a_request_that_is_wrong_is_not_sent(net, service):
    """The same error as in a folder, before anything leaves this machine."""
    with pytest.raises(InvalidArgument, match=r"GetRun\.run_id: a text is expected, not int 3"):
        service.send(GetRun(run_id=3))
    assert len(net.calls) == 0


def test_a_longer_wait_is_not_taken_for_silence(net, service):
    """The time a reply may be held back is added to the time a service may be silent."""
    body = encode_reply(TABLE[GetRun], run_record())
    net.add(responses.GET, f"{URL}/v1/runs/r", body=body, content_type="application/json")
    for wait_s in (0.0, 20.0, 1e9):
        service.send(GetRun(run_id="r", wait_s=wait_s))
    assert [call.request.req_kwargs["timeout"] for call in net.calls] == [(30.0, 30.0), (30.0, 50.0), (30.0, 90.0)]


class CutShort:
    """A response of urllib3 before 2, which says nothing of the bytes that did not come."""

    headers: ClassVar = {"Content-Length": "10"}

    def iter_content(self, _):
        yield b"half"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_bytes_that_are_missing_are_counted():
    stream = stream_of(CutShort(), again=CutShort, explain=lambda: None, what="GetBlob")
    with pytest.raises(Unavailable, match="GetBlob: the reply was cut off .6 bytes are missing.; ask again"):
        stream.read()
