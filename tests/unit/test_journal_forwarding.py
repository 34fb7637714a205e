"""Journals of a machine on their way to a service: sent, removed, set aside; runs of gone processes ended."""

import contextlib
import os
import subprocess
import sys
import threading
import zlib

import attrs
import orjson
import pytest

from amlsdk.errors import Conflict, NotFound, Unavailable
from amlsdk.journal.abandoned import is_abandoned
from amlsdk.journal.begun import Begun, begun_in, forget, note
from amlsdk.journal.folder import JournalFile, outstanding
from amlsdk.journal.forwarding import Forwarder, State
from amlsdk.journal.locks import alone
from amlsdk.journal.pace import Pace
from amlsdk.journal.spools import location_of, name_service, spools_in
from amlsdk.journal.writer import JournalWriter
from amlsdk.local import LocalBackend
from amlsdk.operations.experiments import CreateExperiment
from amlsdk.operations.projects import CreateProject
from amlsdk.operations.runs import AppendJournal, CreateRun, DeleteRun, GetRun, GetRunContext
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id
from amlsdk.records.jobs import ProcessIdentity
from amlsdk.service import Spool

GONE = attrs.evolve(this_process(), started="1")
ELSEWHERE = ProcessIdentity(host="laptop", boot_id="b", pid=7, started="1")

# Logs, says where, and is killed.
KILLED = """
import os, signal, sys
from pathlib import Path
from amlsdk.journal.writer import JournalWriter
writer = JournalWriter(Path(sys.argv[1]), sys.argv[2])
for number in range(5):
    writer.metric("loss", number)
os.kill(os.getpid(), signal.SIGKILL)
"""


class Answers:
    """A service that may be told to fail at a request."""

    def __init__(self, service):
        self._service = service
        self.failing, self.asked = {}, []

    def send(self, request):
        self.asked.append(type(request))
        error = self.failing.get(type(request))
        if error is not None:
            raise error
        return self._service.send(request)


@pytest.fixture
def service(tmp_path):
    backend = LocalBackend(tmp_path / "w")
    yield Answers(backend.open())
    backend.close()


@pytest.fixture
def spool(tmp_path):
    folder = tmp_path / "home" / "spool" / "abc"
    return Spool(journals=folder / "journals", runs=folder / "runs", shipped=True)


@pytest.fixture
def make_run(service):
    project = service.send(CreateProject(id=new_id(), name="p"))
    experiment = service.send(CreateExperiment(id=new_id(), project_id=project.id, name="e"))

    def make(owner=GONE):
        return service.send(CreateRun(id=new_id(), experiment_id=experiment.id, owner=owner)).id

    return make


def logged(spool, run_id, count=5, *, close=True):
    writer = JournalWriter(spool.journals, run_id)
    for number in range(count):
        writer.metric("loss", number)
    if close:
        writer.close()
    return writer


def killed(spool, run_id):
    """What a process left that was killed."""
    subprocess.run([sys.executable, "-c", KILLED, str(spool.journals), run_id], check=False, timeout=60)
    (file,) = outstanding(spool.journals, run_id)
    return file


def count(service, run_id):
    metrics = service.send(GetRun(run_id=run_id)).metrics
    return metrics["loss"].count if metrics else 0


def names(spool):
    return sorted(path.name for path in spool.journals.iterdir() if path.suffix != ".lock")


def test_a_journal_is_removed_when_all_of_it_is_there(service, spool, make_run):
    run_id = make_run()
    file = JournalFile.at(logged(spool, run_id).path)
    size = file.path.stat().st_size
    done = Forwarder(spool).forward(service, file)
    assert (done.state, done.sent_bytes, done.reason) == (State.DONE, size, "")
    assert (count(service, run_id), names(spool)) == (5, [])


def test_a_journal_that_is_written_still_stays(service, spool, make_run):
    run_id = make_run()
    writer = logged(spool, run_id, close=False)
    forwarder = Forwarder(spool)
    assert forwarder.forward(service, JournalFile.at(writer.path)).state == State.OPEN
    writer.metric("loss", 5)
    writer.close()
    assert forwarder.forward(service, JournalFile.at(writer.path)).state == State.DONE
    assert count(service, run_id) == 6


def test_what_a_killed_process_left_is_sent_to_its_torn_end_and_removed(service, spool, make_run):
    run_id = make_run()
    file = killed(spool, run_id)
    with file.path.open("ab") as torn:
        torn.write(b'{"v":1,"k":"met')
    assert Forwarder(spool).forward(service, file).state == State.DONE
    assert (count(service, run_id), names(spool)) == (5, [])
    assert len(service.send(GetRunContext(run_id=run_id)).bad_lines) == 1


def test_a_journal_of_another_machine_without_an_end_waits(service, spool, make_run):
    run_id = make_run()
    file = killed(spool, run_id)
    of_host = f'"h":"{os.uname().nodename}"'.encode()
    begin, rest = file.path.read_bytes().split(b"\n", 1)
    body = begin[: begin.rindex(b',"c":')].replace(of_host, b'"h":"cluster-7"')
    file.path.write_bytes(body + b',"c":%d}\n' % zlib.crc32(body) + rest)
    told = Forwarder(spool).forward(service, file)
    assert (told.state, "has not ended it" in told.reason) == (State.WAITS, True)
    assert (count(service, run_id), len(names(spool))) == (5, 1)


def test_a_copy_is_left_as_it_is(service, spool, make_run):
    run_id = make_run()
    file = JournalFile.at(logged(spool, run_id).path)
    assert Forwarder(spool, keeps=True).forward(service, file).state == State.DONE
    orphan = JournalFile.at(logged(spool, new_id()).path)
    assert Forwarder(spool, keeps=True).forward(service, orphan).state == State.REFUSED
    assert len(names(spool)) == 2


def test_a_journal_whose_run_was_deleted_is_set_aside(service, spool, make_run):
    run_id = make_run()
    service.send(GetRun(run_id=run_id))
    service.send(DeleteRun(run_id=run_id))
    file = JournalFile.at(logged(spool, run_id).path)
    told = Forwarder(spool).forward(service, file)
    assert (told.state, "has no run" in told.reason) == (State.REFUSED, True)
    assert names(spool) == [f"{file.path.name}.orphan"]


def test_a_workspace_that_may_not_be_seen_now_sets_nothing_aside(service, spool, make_run):
    """It is told as NotFound too, and may pass."""
    file = JournalFile.at(logged(spool, make_run()).path)
    service.failing = dict.fromkeys((AppendJournal, GetWorkspace, GetRun), NotFound("there is no workspace 'w'"))
    forwarder = Forwarder(spool)
    with pytest.raises(NotFound, match="no workspace"):
        forwarder.forward(service, file)
    note(spool.journals, Begun(run_id=new_id(), owner=GONE))
    with pytest.raises(NotFound, match="no workspace"):
        forwarder.end_orphans(service)
    assert len(names(spool)) == 2
    service.failing = {}
    assert forwarder.forward(service, file).state == State.DONE


def test_another_journal_of_the_same_name_is_set_aside(service, spool, make_run):
    file = JournalFile.at(logged(spool, make_run()).path)
    service.failing = {AppendJournal: Conflict("other bytes")}
    assert Forwarder(spool).forward(service, file).state == State.REFUSED
    assert names(spool) == [f"{file.path.name}.conflict"]


def test_what_is_at_work_is_not_set_aside(service, spool):
    writer = logged(spool, new_id(), close=False)
    with pytest.raises(NotFound, match="has no run"):
        Forwarder(spool).forward(service, JournalFile.at(writer.path))
    writer.close()
    assert len(names(spool)) == 1


def test_only_what_nobody_sends_is_sent_with_what_is_left(service, spool, make_run):
    one, two, three, four = (make_run() for _ in range(4))
    open_one, own, left = logged(spool, one, close=False), logged(spool, two), logged(spool, three)
    logged(spool, four)
    (spool.runs / four / "work").mkdir(parents=True)
    done = Forwarder(spool).forward_left(service, but={own.path})
    assert [each.file.path for each in done] == [left.path]
    assert [count(service, run_id) for run_id in (one, two, three, four)] == [0, 0, 5, 0]
    open_one.close()


def test_one_process_at_a_time_sends_what_is_left(service, spool, make_run):
    run_id = make_run()
    logged(spool, run_id)
    with alone(spool.journals / "forwarding.lock") as taken:
        assert taken
        assert Forwarder(spool).forward_left(service) == []
    assert len(Forwarder(spool).forward_left(service)) == 1


def test_where_nothing_was_ever_written_nothing_is_made(service, spool):
    assert Forwarder(spool).forward_left(service) == []
    assert not spool.journals.exists()


def test_a_run_of_a_gone_process_is_ended_after_all_it_wrote(service, spool, make_run):
    run_id = make_run(owner=ELSEWHERE)
    note(spool.journals, Begun(run_id=run_id, owner=ELSEWHERE))
    Forwarder(spool).forward_left(service)
    assert service.send(GetRun(run_id=run_id)).status == "Running"
    run_id = make_run(owner=GONE)
    note(spool.journals, Begun(run_id=run_id, owner=GONE))
    file = killed(spool, run_id)
    service.failing = {AppendJournal: Unavailable("away")}
    forwarder = Forwarder(spool)
    with pytest.raises(Unavailable):
        forwarder.forward_left(service)
    assert len(begun_in(spool.journals)) == 2
    service.failing = {}
    written = file.path.stat().st_mtime
    forwarder.forward_left(service)
    run = service.send(GetRun(run_id=run_id))
    assert (run.status, "ended without ending the run" in run.error, run.metrics["loss"].count) == ("Failed", True, 5)
    assert run.ended_at.timestamp() >= written - 1
    assert [begun.owner for begun in begun_in(spool.journals)] == [ELSEWHERE]


@pytest.mark.parametrize(("flag", "status"), [("given_up", "Canceled"), ("ended", "Running")])
def test_notes_say_what_a_living_process_left_behind(service, spool, make_run, flag, status):
    run_id = make_run(owner=this_process())
    note(spool.journals, Begun(run_id=run_id, owner=this_process(), **{flag: True}))
    Forwarder(spool).forward_left(service)
    assert service.send(GetRun(run_id=run_id)).status == status
    assert begun_in(spool.journals) == []


def test_a_run_that_another_process_went_on_with_is_left_to_it(service, spool, make_run):
    run_id = make_run(owner=this_process())
    note(spool.journals, Begun(run_id=run_id, owner=GONE))
    Forwarder(spool).forward_left(service)
    assert service.send(GetRun(run_id=run_id)).status == "Running"
    assert begun_in(spool.journals) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"owner":{"pid":1}}', b'{"owner":null}'])
def test_a_note_that_is_damaged_says_nothing(spool, content):
    spool.journals.mkdir(parents=True)
    Begun(run_id=new_id(), owner=GONE).path(spool.journals).write_bytes(content)
    assert begun_in(spool.journals) == []


def test_notes_of_two_processes_stand_side_by_side(spool):
    run_id = new_id()
    one, two = Begun(run_id=run_id, owner=GONE), Begun(run_id=run_id, owner=ELSEWHERE)
    for begun in (one, two):
        note(spool.journals, begun)
    forget(spool.journals, one)
    forget(spool.journals, one)
    assert begun_in(spool.journals) == [two]


def test_a_later_process_with_the_same_number_is_not_the_writer(spool):
    """Numbers come round again; the time of the first line tells which is meant."""
    file = killed(spool, new_id())
    assert is_abandoned(file.path)
    begin = orjson.loads(file.path.read_bytes().split(b"\n", 1)[0])
    body = b'{"v":1,"k":"begin","r":"%b","w":"%b","p":%d,"h":"%b","t":%d'
    head = body % (begin["r"].encode(), begin["w"].encode(), os.getpid(), begin["h"].encode(), 1_000_000)
    file.path.write_bytes(head + b',"c":%d}\n' % zlib.crc32(head))
    assert is_abandoned(file.path)
    head = head.replace(b'"t":1000000', b'"t":%d' % begin["t"])
    file.path.write_bytes(head + b',"c":%d}\n' % zlib.crc32(head))
    assert not is_abandoned(file.path)


def test_pieces_grow_while_they_pass_and_shrink_where_they_do_not():
    pace = Pace()
    for _ in range(10):
        pace.passed(0.1)
    assert pace.piece_bytes == 4 << 20
    pace.passed(1.0)
    assert pace.piece_bytes == 4 << 20
    pace.passed(3.0)
    assert pace.piece_bytes == 2 << 20
    for _ in range(10):
        pace.failed()
    assert pace.piece_bytes == 64 << 10


def test_spools_are_found_wherever_one_looks_from(spool, tmp_path):
    logged(spool, new_id())
    name_service(spool, "https://aml.example.com")
    name_service(spool, "https://another.example.com")
    home = tmp_path / "home"
    for folder in (home, home / "spool", spool.journals.parent, spool.journals):
        (found,) = spools_in(folder)
        assert (found.journals, location_of(found)) == (spool.journals, "https://aml.example.com")
    assert spools_in(tmp_path / "nowhere") == []


def test_threads_that_send_the_same_journal_send_it_once(service, spool, make_run):
    run_id = make_run()
    file = JournalFile.at(logged(spool, run_id, 2000).path)
    forwarder, failed = Forwarder(spool), []

    def send():
        with contextlib.suppress(FileNotFoundError):
            try:
                forwarder.forward(service, file)
            except Exception as error:  # noqa: BLE001  # told below
                failed.append(error)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (count(service, run_id), failed, names(spool)) == (2000, [], [])
