"""Every operation of the table answers alike in every mode: to what can't be meant, and to who may not ask."""

import contextlib
import datetime as dt
import json
import typing
from collections.abc import Mapping

import attrs
import pytest
from making import make_run, make_tree

from amlsdk.errors import AmlError, Denied, InvalidArgument
from amlsdk.operations import TABLE, Role
from amlsdk.operations.blobs import FindMissingBlobs, GetBlob
from amlsdk.operations.jobs import ClaimRun, SetRunStatus
from amlsdk.operations.models import CreateModel, ListModels
from amlsdk.operations.projects import CreateProject
from amlsdk.operations.runs import AppendJournal, AppendOutput, CreateRun, GetRun, ReadOutput, ReadSeries, SearchRuns
from amlsdk.operations.workspaces import UpdateWorkspace
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id
from amlsdk.records.jobs import ProcessIdentity
from amlsdk.records.secrets import SecretRecord
from amlsdk.records.streams import ByteStream
from amlsdk.remote import RemoteBackend
from amlsdk.server.run import ServerThread
from amlsdk.service import Principal
from amlsdk.testing import WireService

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc)
LATEST = dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-12)))
HUGE = 2**70


@pytest.fixture
def services(folder_backend, tmp_path, monkeypatch):
    """The services of one workspace for a caller, by mode."""
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    with contextlib.ExitStack() as opened:

        def of(principal=None):
            inner = folder_backend.open(principal)
            server = opened.enter_context(ServerThread(inner))
            remote = RemoteBackend(server.url, token=server.token, deadline_s=2.0)
            opened.callback(remote.close)
            return {"local": inner, "wire": WireService(inner), "http": remote.open()}

        yield of


def outcome(service, request):
    """What comes of a request: its reply without times, or class and text of its error."""
    try:
        reply = service.send(request)
    except AmlError as error:
        return type(error), str(error)
    if isinstance(reply, SecretRecord):
        # The least value of each of its fields is a secret, which is set anew each time.
        return attrs.evolve(reply, updated_at=reply.created_at)
    return reply.read() if isinstance(reply, ByteStream) else reply


def plain(kind):
    """Return the least value of a type."""
    origin = typing.get_origin(kind)
    if kind is ProcessIdentity:
        return this_process()
    made = {str: "absent", int: 0, bool: False, float: 0.0, dt.datetime: NOW, ByteStream: ByteStream.of(b"")}
    return {tuple: (), Mapping: {}}[origin] if origin else made[kind]


def plain_request(cls):
    """Return a request with its required fields only."""
    attrs.resolve_types(cls)
    return cls(**{field.name: plain(field.type) for field in attrs.fields(cls) if field.default is attrs.NOTHING})


@pytest.mark.parametrize("cls", TABLE, ids=lambda cls: cls.__name__)
def test_every_operation_answers_alike(services, cls):
    """Also one whose own tests forgot a mode."""
    request = plain_request(cls)
    found = {mode: outcome(service, request) for mode, service in services().items()}
    assert found["wire"] == found["local"]
    assert found["http"] == found["local"]


@pytest.mark.parametrize("role", [Role.READER, Role.CONTRIBUTOR])
def test_every_operation_is_refused_to_who_may_not(services, folder_backend, role):
    """By one wrapper, with the same words in every mode, and a line in the audit log each time."""
    refused = [cls for cls, operation in TABLE.items() if operation.role > role]
    for service in services(Principal(name="ada", role=role)).values():
        for cls in refused:
            needed = TABLE[cls].role.name.lower()
            with pytest.raises(Denied, match=f"{cls.__name__} needs the role {needed}; 'ada' is {role.name.lower()}"):
                service.send(plain_request(cls))
    lines = [json.loads(line) for line in (folder_backend.folder / "audit.jsonl").read_text("utf-8").splitlines()]
    noted = [(line["user"], line["operation"]) for line in lines if line["outcome"] == "Denied"]
    assert noted == 3 * [("ada", cls.__name__) for cls in refused]


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def model(value):
    return CreateModel(id="i", name="n", digest="d", format="f", algorithm={"a": value})


def enter(**fields):
    return SetRunStatus(**{"run_id": "r", "supervisor": this_process(), "status": "Running", "at": NOW, **fields})


def journal(**fields):
    return AppendJournal(
        **{"run_id": "r", "writer": "a" * 16, "offset": 0, "digest": "d", "content": ByteStream.of(b""), **fields}
    )


@pytest.mark.parametrize(
    ("request_sent", "message"),
    [
        (GetRun(run_id="\ud800"), "GetRun.run_id: a text that UTF-8 can carry is expected"),
        (ListModels(name="\ud800"), "ListModels.name: a text that UTF-8"),
        (CreateProject(id="i", name="n", folder="\ud800"), "CreateProject.folder: a text that UTF-8"),
        (FindMissingBlobs(digests=("\ud800",)), r"FindMissingBlobs.digests\[0\]: a text that UTF-8"),
        (CreateRun(id="i", experiment_id="e", tags={"\ud800": "x"}), "CreateRun.tags: a key: a text that UTF-8"),
        (CreateRun(id="i", experiment_id="e", tags={1: "x"}), "CreateRun.tags: a key: a text is expected, not int 1"),
        (ReadOutput(run_id="r", after=HUGE), "ReadOutput.after: a whole number of 64 bits is expected"),
        (ReadSeries(run_id="r", name="x", max_points=HUGE), "ReadSeries.max_points: a whole number of 64 bits"),
        (GetBlob(digest="d", start=HUGE), "GetBlob.start: a whole number of 64 bits"),
        (UpdateWorkspace(slots=HUGE), "UpdateWorkspace.slots: a whole number of 64 bits"),
        (AppendOutput(run_id="r", offset=HUGE, content=ByteStream.of(b"")), "AppendOutput.offset: a whole number of"),
        (journal(offset=-HUGE), "AppendJournal.offset: a whole number of 64 bits"),
        (enter(exit_code=HUGE), "SetRunStatus.exit_code: a whole number of 64 bits"),
        (enter(at=LATEST), "SetRunStatus.at: a time that UTC has is expected"),
        (enter(at=NOW.replace(tzinfo=None)), "SetRunStatus.at: a time with its zone is expected"),
        (ClaimRun(supervisor=None), "ClaimRun.supervisor: ProcessIdentity is expected"),
        (model(object()), "CreateModel.algorithm: what JSON can carry is expected, not object"),
        (model({1}), "CreateModel.algorithm: what JSON can carry is expected, not set"),
        (model(NOW), "CreateModel.algorithm: what JSON can carry is expected, not datetime"),
        (model({1: 2}), "CreateModel.algorithm: a key: a text is expected"),
        (model(HUGE), "CreateModel.algorithm: a whole number of 64 bits"),
        (model("\ud800"), "CreateModel.algorithm: a text that UTF-8"),
        (model(nested(600)), "CreateModel.algorithm: at most 100 objects and lists"),
    ],
    ids=lambda value: type(value).__name__ if attrs.has(type(value)) else "",
)
def test_what_can_not_travel_is_refused_alike(services, request_sent, message):
    """Before anything of it is done, also in the mode where it need not travel."""
    for service in services().values():
        with pytest.raises(InvalidArgument, match=message):
            service.send(request_sent)


def test_what_can_just_travel_does(services):
    """The longest filter, an id of any length, texts of a subclass as numpy has them, and JSON nested deep."""

    class Text(str):
        __slots__ = ()

    words = ", ".join(f"'{'ü' * 50}'" for _ in range(600))
    run = None
    for number, service in enumerate(services().values()):
        run = run or make_run(service)
        assert service.send(SearchRuns(filter=f"name in ({words})")).items == ()
        assert outcome(service, GetRun(run_id="x" * 100_000))[0].__name__ == "NotFound"
        made = service.send(CreateRun(id=new_id(), experiment_id=run.experiment_id, tags={Text("a"): Text("b")}))
        assert made.tags == {"a": "b"}
        tree = make_tree(service, {"m": b"x"})
        fields = {"id": new_id(), "name": f"m{number}", "digest": tree.digest, "format": "files"}
        kept = service.send(CreateModel(**fields, algorithm={"a": nested(90), "b": float("nan"), "c": (1, 2)}))
        assert kept.algorithm == {"a": nested(90), "b": "nan", "c": [1, 2]}


def test_a_piece_of_a_journal_is_bounded(services):
    """Where its size is known it is not even sent; elsewhere the service stops reading."""
    most = TABLE[AppendJournal].most_bytes
    block = bytes(1 << 20)
    by_mode = services()
    run = make_run(by_mode["local"])
    for service in by_mode.values():
        for size in (most + 1, None):
            content = ByteStream(begin=lambda: [*[block] * (most // len(block)), b"x"], size_bytes=size)
            with pytest.raises(InvalidArgument, match=f"AppendJournal: the body has more than {most} bytes"):
                service.send(journal(run_id=run.id, content=content))
