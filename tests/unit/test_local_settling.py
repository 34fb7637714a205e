import os
import subprocess
import sys
import threading
import time

import orjson
import psutil
import pytest

from amlsdk.local import LocalBackend
from amlsdk.local.settling import settle
from amlsdk.operations.experiments import CreateExperiment
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.operations.jobs import ClaimRun, HeartbeatRun, SetRunStatus
from amlsdk.operations.projects import CreateProject
from amlsdk.operations.runs import CreateRun, GetRun, ListRunFiles
from amlsdk.operations.workspaces import UpdateWorkspace
from amlsdk.processes import identity_of, this_process
from amlsdk.records.filesets import FileEntry
from amlsdk.records.ids import new_id
from amlsdk.records.jobs import JobSpec, ProcessIdentity
from amlsdk.records.runs import ENDED
from amlsdk.storage.catalogue.times import from_us

HERE = this_process()
GONE = ProcessIdentity(host=HERE.host, boot_id=HERE.boot_id, pid=HERE.pid, started="1")
ELSEWHERE = ProcessIdentity(host="another-host", boot_id="b", pid=1, started="1")


@pytest.fixture
def backend(tmp_path):
    backend = LocalBackend(tmp_path / "w")
    yield backend
    backend.close()


@pytest.fixture
def service(backend):
    return backend.open()


@pytest.fixture
def experiment(service):
    project = service.send(CreateProject(id=new_id(), name="p"))
    return service.send(CreateExperiment(id=new_id(), project_id=project.id, name="e"))


@pytest.fixture
def claimed(backend, service, experiment):
    """Claim a new run for a supervisor."""

    def claim(supervisor):
        digest, size = backend.blobs.put_file(__file__)
        tree = service.send(CreateFileSet(entries=(FileEntry(path="a.py", digest=digest, size_bytes=size),)))
        job = JobSpec(script="a.py", snapshot=tree.digest)
        run = service.send(CreateRun(id=new_id(), experiment_id=experiment.id, job=job))
        service.send(UpdateWorkspace(slots=100))
        return service.send(ClaimRun(supervisor=supervisor, run_id=run.id)).run

    return claim


def test_outputs_of_a_lost_run_are_kept(backend, service, claimed):
    run = claimed(GONE)
    outputs = backend.folder / "runs" / run.id / "work" / "outputs"
    (outputs / "deep").mkdir(parents=True)
    (outputs / "model.bin").write_bytes(b"weights")
    (outputs / "deep" / "tool.sh").write_bytes(b"#!")
    (outputs / "deep" / "tool.sh").chmod(0o755)
    (outputs / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(outputs / "pipe")
    assert service.send(GetRun(run_id=run.id)).status == "Failed"
    found = service.send(ListRunFiles(run_id=run.id)).items
    assert [(item.path, item.kind, item.mode) for item in found] == [
        ("outputs/deep/tool.sh", "output", "executable"),
        ("outputs/model.bin", "output", "file"),
    ]
    assert backend.blobs.open(found[1].digest).read() == b"weights"


def test_a_run_is_settled_once_by_many_at_once(backend, service, experiment):
    runs = [service.send(CreateRun(id=new_id(), experiment_id=experiment.id, owner=GONE)) for _ in range(5)]
    threads = [threading.Thread(target=settle, args=(backend._local,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in runs:
        states = service.send(GetRun(run_id=run.id)).states
        assert [state.status for state in states] == ["Running", "Failed"]


def test_runs_of_the_living_are_left_alone(backend, service, experiment):
    run = service.send(CreateRun(id=new_id(), experiment_id=experiment.id, owner=HERE))
    settle(backend._local)
    assert service.send(GetRun(run_id=run.id)).status == "Running"


def test_a_script_does_not_settle_its_own_run(service, claimed, monkeypatch):
    run = claimed(GONE)
    monkeypatch.setenv("AMLSDK_RUN_ID", run.id)
    assert service.send(GetRun(run_id=run.id)).status == "Starting"


def test_a_lease_that_ran_out_elsewhere_is_no_end(service, claimed, monkeypatch):
    run = claimed(ELSEWHERE)
    later = time.time_ns() // 1000 + 60_000_000
    monkeypatch.setattr("amlsdk.local.settling.now_us", lambda: later)
    lost = service.send(GetRun(run_id=run.id))
    assert (lost.status, lost.ended_at) == ("NotResponding", None)
    assert service.send(GetRun(run_id=run.id)).states == lost.states
    monkeypatch.undo()
    service.send(HeartbeatRun(run_id=run.id, supervisor=ELSEWHERE))
    assert service.send(GetRun(run_id=run.id)).status == "Starting"


def test_an_exit_code_that_was_seen_overrides_not_responding(service, claimed, monkeypatch):
    run = claimed(ELSEWHERE)
    later = time.time_ns() // 1000 + 60_000_000
    monkeypatch.setattr("amlsdk.local.settling.now_us", lambda: later)
    assert service.send(GetRun(run_id=run.id)).status == "NotResponding"
    request = SetRunStatus(run_id=run.id, supervisor=ELSEWHERE, status="Completed", at=from_us(later), exit_code=0)
    assert service.send(request).status == "Completed"


def test_processes_of_a_lost_run_are_ended(backend, service, claimed):
    run = claimed(GONE)
    sleeper = "import time; print(flush=True); time.sleep(600)"
    marked = start([sys.executable, "-c", sleeper], env={**os.environ, "AMLSDK_RUN_ID": run.id})
    noted = start([sys.executable, "-c", sleeper], start_new_session=True)
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleeper!r}]).wait()"
    leader = start([sys.executable, "-c", parent], start_new_session=True)
    stranger = start([sys.executable, "-c", sleeper], start_new_session=True)
    member = psutil.Process(leader.pid).children()[0]
    folder = backend.folder / "runs" / run.id
    folder.mkdir()
    noted_identities = [
        {"host": one.host, "boot_id": one.boot_id, "pid": one.pid, "started": one.started}
        for one in (
            identity_of(noted.pid),
            identity_of(leader.pid),
            # A number that somebody else has by now.
            ProcessIdentity(host=HERE.host, boot_id=HERE.boot_id, pid=stranger.pid, started="1"),
        )
    ]
    (folder / "processes.json").write_bytes(orjson.dumps(noted_identities))
    try:
        assert service.send(GetRun(run_id=run.id)).status in ENDED
        assert [process.poll() is None for process in (marked, noted, leader, stranger)] == [False, False, False, True]
        assert not member.is_running() or member.status() == psutil.STATUS_ZOMBIE
    finally:
        for process in (marked, noted, leader, stranger):
            process.kill()
            process.wait()
            process.stdout.close()


def start(command, **options):
    """Start a process and wait for its first line."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, **options)
    process.stdout.readline()
    return process


def test_a_list_of_processes_that_is_damaged_stops_nobody(backend, service, claimed):
    run = claimed(GONE)
    folder = backend.folder / "runs" / run.id
    folder.mkdir()
    (folder / "processes.json").write_bytes(b'[{"pid":')
    assert service.send(GetRun(run_id=run.id)).status == "Failed"
