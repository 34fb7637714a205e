"""Requests, replies and errors survive the way over HTTP unchanged."""

import datetime as dt
import math

import attrs
import orjson
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from wire_strategies import TEXTS, values

from amlsdk.errors import BY_CODE, AmlError, InvalidArgument, Unavailable
from amlsdk.operations import TABLE
from amlsdk.operations.blobs import FindMissingBlobs, PutBlob
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.operations.models import CreateModel, ListModels
from amlsdk.operations.runs import AppendJournal, CreateRun, GetRun, ReadOutput
from amlsdk.operations.workspaces import CollectGarbage
from amlsdk.records.logged import MetricSummary
from amlsdk.records.pages import Page
from amlsdk.records.projects import ProjectRecord
from amlsdk.records.runs import RunRecord
from amlsdk.records.streams import ByteStream
from amlsdk.server.routing import find
from amlsdk.wire import decode_error, decode_reply, decode_request, encode_error, encode_reply, encode_request

STREAMS = [operation for operation in TABLE.values() if operation.reply is ByteStream]
OTHERS = [operation for operation in TABLE.values() if operation.reply is not ByteStream]
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.timezone.utc)


def name_of(operation):
    return operation.name


def arrived(request):
    """Return a request as the service gets it."""
    wired = encode_request(request)
    match = find(wired.verb, wired.path)
    body = b"" if wired.body is None else wired.body
    return decode_request(match.operation, match.path, query=wired.query, body=body)


def same(left, right):
    """Compare what may hold NaN and streams, types included."""
    if isinstance(left, ByteStream):
        return left.read() == right.read()
    if attrs.has(type(left)):
        return type(left) is type(right) and all(
            same(getattr(left, field.name), getattr(right, field.name)) for field in attrs.fields(type(left))
        )
    if isinstance(left, (tuple, list)):
        return type(left) is type(right) and len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    return left == right and type(left) is type(right)


@pytest.mark.parametrize("operation", TABLE.values(), ids=name_of)
def test_a_request_arrives_as_it_was_sent(operation):
    @seed(1)
    @settings(max_examples=40, deadline=None, database=None)
    @given(values(operation.request))
    def check(request):
        assert same(request, arrived(request))

    check()


@pytest.mark.parametrize("operation", OTHERS, ids=name_of)
def test_a_reply_arrives_as_it_was_sent(operation):
    @seed(2)
    @settings(max_examples=40, deadline=None, database=None)
    @given(values(operation.reply))
    def check(reply):
        assert same(reply, decode_reply(operation, encode_reply(operation, reply)))

    check()


@seed(3)
@settings(max_examples=300, deadline=None, database=None)
@given(TEXTS | st.text("./~%?#", max_size=4))
def test_an_id_of_any_text_stays_one_segment(text):
    """Dots, slashes and nothing at all would mean something else on the way."""
    path = encode_request(GetRun(run_id=text)).path
    segments = path.split("/")
    assert len(segments) == 4
    assert segments[3].strip(".")
    assert find("GET", path).path == {"run_id": text}


@seed(4)
@settings(max_examples=100, deadline=None, database=None)
@given(st.sampled_from(sorted(BY_CODE)), TEXTS)
def test_an_error_arrives_with_its_class_and_text(code, message):
    error = BY_CODE[code](message)
    back = decode_error(*encode_error(error))
    assert (type(back), str(back)) == (type(error), message)


def test_an_error_of_a_later_version_is_an_error():
    assert type(decode_error(418, b'{"code": "Teapot", "message": "short and stout"}')) is AmlError


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", b"[]", b'{"code": 1}', b'{"message": "x"}'])
def test_an_error_of_something_between_is_unavailable(body):
    error = decode_error(502, body)
    assert isinstance(error, Unavailable)
    assert "502" in str(error)


def refused(cls, body, *, path=None, query=None):
    with pytest.raises(InvalidArgument) as caught:
        decode_request(TABLE[cls], path or {}, query=query or {}, body=orjson.dumps(body))
    return str(caught.value)


RUN = {"id": "a", "experiment_id": "b"}
FRACTION = {"path": "a", "digest": "b", "size_bytes": 1.9}


@pytest.mark.parametrize(
    ("cls", "body", "message"),
    [
        (CollectGarbage, {"dry_run": "false"}, ".dry_run: true or false is expected, not str 'false'"),
        (CollectGarbage, {"dry_run": 1}, ".dry_run: true or false is expected, not int 1"),
        (CollectGarbage, {"grace_s": "1"}, ".grace_s: a number is expected, not str '1'"),
        (CollectGarbage, {"grace_s": True}, ".grace_s: a number is expected, not bool True"),
        (CreateRun, {"id": "a"}, ": experiment_id is missing"),
        (CreateRun, {}, ": id, experiment_id are missing"),
        (CreateRun, RUN | {"id": 1}, ".id: a text is expected, not int 1"),
        (CreateRun, RUN | {"owner": 3}, ".owner: ProcessIdentity is expected, not int 3"),
        (CreateRun, RUN | {"tags": [["k", "v"]]}, ".tags: a mapping is expected, not list [['k', 'v']]"),
        (FindMissingBlobs, {"digests": "abc"}, ".digests: a sequence is expected, not str 'abc'"),
        (FindMissingBlobs, {"digests": {"a": 1}}, ".digests: a sequence is expected, not dict {'a': 1}"),
        (FindMissingBlobs, {"digests": None}, ".digests: a sequence is expected, not NoneType None"),
        (CreateFileSet, {"entries": ["x"]}, ".entries[0]: FileEntry is expected, not str 'x'"),
        (CreateFileSet, {"entries": [FRACTION]}, ".entries[0].size_bytes: a whole number is expected, not float 1.9"),
        (CreateModel, ["id"], ": the body is a JSON list, not an object"),
    ],
)
def test_what_is_of_another_type_is_refused(cls, body, message):
    """Nothing is converted on the way: a text is no boolean, and a text or an object is no sequence."""
    assert refused(cls, body) == cls.__name__ + message


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"after": "1.9"}, "ReadOutput.after: a whole number is expected, not float 1.9"),
        ({"after": "x"}, "ReadOutput.after: a whole number is expected, not str 'x'"),
        ({"after": "true"}, "ReadOutput.after: a whole number is expected, not bool True"),
        ({"wait_s": "soon"}, "ReadOutput.wait_s: a number is expected, not str 'soon'"),
    ],
)
def test_a_query_is_as_strict(query, message):
    assert refused(ReadOutput, {}, path={"run_id": "r"}, query=query) == message


def test_a_query_beside_a_stream_is_as_strict():
    path, query = {"run_id": "r", "writer": "w"}, {"offset": "1.9", "digest": "d"}
    message = "AppendJournal.offset: a whole number is expected, not float 1.9"
    assert refused(AppendJournal, {}, path=path, query=query) == message


def test_a_record_within_says_what_it_misses():
    assert refused(CreateRun, RUN | {"owner": {"host": "h"}}) == "ProcessIdentity: boot_id, pid, started are missing"


def test_a_missing_field_of_a_stream_is_named():
    path = {"run_id": "r", "writer": "w"}
    assert refused(AppendJournal, {}, path=path) == "AppendJournal: offset, digest are missing"


def test_a_text_in_a_query_stays_a_text():
    """Also one that looks like JSON."""
    request = ListModels(name="1", alias="null", latest=True, version=2)
    assert arrived(request) == request


def test_a_broken_body_is_refused():
    with pytest.raises(InvalidArgument, match="CreateRun: the body is not JSON"):
        decode_request(TABLE[CreateRun], {}, query={}, body=b'{"id": ')


def test_unknown_fields_are_passed_over():
    """A newer client may send more, and a newer service answer more."""
    body = orjson.dumps({"id": "a", "experiment_id": "b", "colour": "red"})
    assert decode_request(TABLE[CreateRun], {}, query={"x": "1"}, body=body) == CreateRun(id="a", experiment_id="b")
    put = decode_request(TABLE[PutBlob], {"digest": "d"}, query={"colour": "red"}, body=b"x")
    assert put.content.read() == b"x"


def test_unknown_states_and_fields_of_a_reply_decode():
    record = RunRecord(
        id="r", number=1, name="n", project_id="p", experiment_id="e", kind="swept", status="Dreaming", user="u",
        created_at=NOW, metrics={"loss": MetricSummary(count=1, last=math.inf, last_step=0, min=-math.inf, max=1.0)},
    )  # fmt: skip
    raw = orjson.loads(encode_reply(TABLE[GetRun], record))
    assert decode_reply(TABLE[GetRun], orjson.dumps(raw | {"mood": "blue"})) == record


def test_a_page_comes_back_as_a_tuple():
    project = ProjectRecord(id="p", name="n", created_at=NOW)
    operation = next(row for row in OTHERS if row.reply == Page[ProjectRecord])
    assert decode_reply(operation, encode_reply(operation, Page(items=(project,)))).items == (project,)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"{}", b'{"id": 1}'])
def test_a_reply_that_is_none_is_unavailable(content):
    """Something between here and the service spoke."""
    with pytest.raises(Unavailable, match="GetRun: the service's reply can't be read"):
        decode_reply(TABLE[GetRun], content)


@pytest.mark.parametrize(
    "request_sent",
    [
        GetRun(run_id="\ud800"),
        CreateRun(id="\ud800", experiment_id="e"),
        ListModels(name="\ud800"),
        CreateModel(id="i", name="n", digest="d", format="f", algorithm={"seed": 2**70}),
    ],
)
def test_what_http_can_not_carry_is_refused_before_it_is_sent(request_sent):
    with pytest.raises(InvalidArgument, match=type(request_sent).__name__):
        encode_request(request_sent)


def test_a_number_of_numpy_is_a_number():
    class Float64(float):
        """As numpy's float64 is: a subclass that JSON writers refuse."""

    assert arrived(CollectGarbage(grace_s=Float64(0.5))).grace_s == 0.5
