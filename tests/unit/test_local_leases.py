"""Interactive runs of a service: from afar their process is known by its signs of life alone."""

import time

import attrs
import pytest

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.journal.digests import PrefixDigest
from amlsdk.journal.writer import JournalWriter
from amlsdk.local import LocalBackend
from amlsdk.operations.experiments import CreateExperiment
from amlsdk.operations.jobs import CancelRun, HeartbeatRun, SetRunStatus
from amlsdk.operations.projects import CreateProject
from amlsdk.operations.runs import AppendJournal, CreateRun, GetRun, ResumeRun
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id
from amlsdk.records.jobs import ProcessIdentity
from amlsdk.records.streams import ByteStream
from amlsdk.storage.catalogue.times import from_us

LAPTOP = ProcessIdentity(host="laptop", boot_id="b", pid=7, started="1")
OTHER = ProcessIdentity(host="desktop", boot_id="c", pid=8, started="1")


@pytest.fixture(params=[True, False], ids=["served", "folder"])
def backend(request, tmp_path):
    backend = LocalBackend(tmp_path / "w")
    backend._local = attrs.evolve(backend._local, served=request.param)
    yield backend
    backend.close()


@pytest.fixture
def is_served(backend):
    return backend._local.served


@pytest.fixture
def service(backend):
    return backend.open()


@pytest.fixture
def begun(service):
    """An interactive run of a laptop."""
    project = service.send(CreateProject(id=new_id(), name="p"))
    experiment = service.send(CreateExperiment(id=new_id(), project_id=project.id, name="e"))
    return service.send(CreateRun(id=new_id(), experiment_id=experiment.id, owner=LAPTOP))


@pytest.fixture
def later(monkeypatch):
    """A time after all leases."""
    at = time.time_ns() // 1000 + 60_000_000
    monkeypatch.setattr("amlsdk.local.settling.now_us", lambda: at)
    return at


def status(service, run):
    return service.send(GetRun(run_id=run.id)).status


def send(service, run, tmp_path, *facts):
    writer = JournalWriter(tmp_path / "journals", run.id)
    for fact in facts:
        fact(writer)
    writer.close()
    content = ByteStream.of(writer.path.read_bytes())
    digest = PrefixDigest().hexdigest()
    service.send(AppendJournal(run_id=run.id, writer=writer.writer, offset=0, digest=digest, content=content))


def test_a_run_whose_process_says_nothing_does_not_respond(service, begun, later, is_served):
    assert status(service, begun) == ("NotResponding" if is_served else "Running")


def test_a_sign_of_life_keeps_it_running_and_brings_it_back(service, begun, later, is_served, monkeypatch):
    status(service, begun)
    monkeypatch.undo()
    service.send(HeartbeatRun(run_id=begun.id, supervisor=LAPTOP))
    found = service.send(GetRun(run_id=begun.id))
    assert found.status == "Running"
    states = ["Running", "NotResponding", "Running"] if is_served else ["Running"]
    assert [state.status for state in found.states] == states


def test_only_the_process_itself_gives_signs(service, begun):
    with pytest.raises(Conflict, match="held by process 7 on laptop"):
        service.send(HeartbeatRun(run_id=begun.id, supervisor=OTHER))


def test_a_journal_that_comes_later_has_the_last_word(service, begun, later, tmp_path):
    status(service, begun)
    send(service, begun, tmp_path, lambda writer: writer.metric("loss", 1.0), lambda writer: writer.status("Completed"))
    found = service.send(GetRun(run_id=begun.id))
    assert (found.status, found.metrics["loss"].count) == ("Completed", 1)


def test_points_that_come_later_do_not_bring_it_back(service, begun, later, tmp_path, is_served):
    """A journal may be carried by anybody; only its process gives signs of life."""
    status(service, begun)
    send(service, begun, tmp_path, lambda writer: writer.metric("loss", 1.0))
    assert status(service, begun) == ("NotResponding" if is_served else "Running")


def test_one_that_does_not_respond_may_be_cancelled(service, begun, later, tmp_path, is_served):
    """Its machine may never come back; where it does, it says how the run ended."""
    status(service, begun)
    if not is_served:
        with pytest.raises(InvalidArgument, match="ended only by its own process 7 on laptop"):
            service.send(CancelRun(run_id=begun.id))
        return
    found = service.send(CancelRun(run_id=begun.id))
    assert (found.status, found.error) == (
        "Canceled",
        "cancelled while there was no sign of life from process 7 on laptop",
    )
    send(service, begun, tmp_path, lambda writer: writer.status("Completed"))
    assert status(service, begun) == "Completed"


def test_its_own_machine_says_that_it_is_gone(service, begun, later, tmp_path):
    status(service, begun)
    reason = "the process 7 on laptop ended without ending the run"
    ended = SetRunStatus(run_id=begun.id, supervisor=LAPTOP, status="Failed", at=from_us(later), reason=reason)
    assert service.send(ended).status == "Failed"
    send(service, begun, tmp_path, lambda writer: writer.status("Completed"))
    assert status(service, begun) == "Completed"


def test_another_process_goes_on_with_one_that_does_not_respond(service, begun, later, is_served):
    status(service, begun)
    request = ResumeRun(run_id=begun.id, owner=OTHER)
    if not is_served:
        with pytest.raises(Conflict, match="is active and belongs to process 7 on laptop"):
            service.send(request)
        return
    assert service.send(request).owner == OTHER
    assert status(service, begun) == "NotResponding"
    service.send(HeartbeatRun(run_id=begun.id, supervisor=OTHER))
    with pytest.raises(Conflict, match="held by process 8 on desktop"):
        service.send(HeartbeatRun(run_id=begun.id, supervisor=LAPTOP))


def test_a_process_that_can_be_seen_needs_no_lease(service, begun, later):
    experiment = begun.experiment_id
    run = service.send(CreateRun(id=new_id(), experiment_id=experiment, owner=this_process()))
    assert status(service, run) == "Running"
