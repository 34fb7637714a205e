import contextlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pytest

from amlsdk.errors import Unavailable
from amlsdk.journal.writer import JournalWriter
from amlsdk.local import LocalBackend
from amlsdk.operations.experiments import CreateExperiment
from amlsdk.operations.projects import CreateProject, GetProject, ListProjects
from amlsdk.operations.runs import CreateRun, GetRun, SearchRuns
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id

WRITERS, RUNS, POINTS = 8, 6, 20


@contextlib.contextmanager
def opened(folder, **options):
    backend = LocalBackend(folder, **options)
    try:
        yield backend.open()
    finally:
        backend.close()


def fork(work):
    """Run a function in a child that ends without the parent's clean-up; return its process id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stderr.flush()
            os._exit(status)
    return child


def ended_well(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def make_experiment(service):
    project = service.send(CreateProject(id=new_id(), name="p"))
    return service.send(CreateExperiment(id=new_id(), project_id=project.id, name="e"))


def test_eight_processes_write_one_workspace_at_once(tmp_path):
    folder = tmp_path / "w"
    with opened(folder) as service:
        experiment = make_experiment(service)

    def work():
        backend = LocalBackend(folder)
        service = backend.open()
        for _ in range(RUNS):
            run = service.send(CreateRun(id=new_id(), experiment_id=experiment.id, owner=this_process()))
            writer = JournalWriter(backend.spool.journals, run.id)
            for number in range(POINTS):
                writer.metric("loss", float(number))
            writer.status("Completed")
            writer.close()
            assert service.send(GetRun(run_id=run.id)).status == "Completed"
        backend.close()

    children = [fork(work) for _ in range(WRITERS)]
    assert [ended_well(child) for child in children] == [True] * WRITERS
    with opened(folder) as service:
        runs = service.send(SearchRuns(experiment_id=experiment.id, limit=1000)).items
    assert sorted(run.number for run in runs) == list(range(1, WRITERS * RUNS + 1))
    assert {(run.status, run.metrics["loss"].count, run.metrics["loss"].last) for run in runs} == {
        ("Completed", POINTS, POINTS - 1.0)
    }


def test_eight_processes_make_one_workspace_at_once(tmp_path):
    def work():
        with opened(tmp_path / "w") as service:
            service.send(CreateProject(id=new_id(), name=f"p{os.getpid()}"))

    children = [fork(work) for _ in range(WRITERS)]
    assert [ended_well(child) for child in children] == [True] * WRITERS
    with opened(tmp_path / "w", create=False) as service:
        assert len(service.send(ListProjects()).items) == WRITERS


def test_what_was_answered_survives_a_kill(tmp_path):
    """A process that is killed while it creates projects has lost none that it was told of."""
    with opened(tmp_path / "w"):
        pass
    reading, writing = os.pipe()

    def work():
        with opened(tmp_path / "w") as service:
            for _ in range(100_000):
                project_id = new_id()
                service.send(CreateProject(id=project_id, name=project_id.upper() + "-"))
                os.write(writing, f"{project_id}\n".encode())

    child = fork(work)
    os.close(writing)
    with os.fdopen(reading) as told:
        known = [told.readline().strip() for _ in range(20)]
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        known += [line.strip() for line in told if line.endswith("\n")]
    with opened(tmp_path / "w") as service:
        for project_id in known:
            assert service.send(GetProject(project_id=project_id)).id == project_id


@pytest.mark.parametrize("damage", ["header", "pages", "empty", "absent"])
def test_a_damaged_catalogue_says_so(tmp_path, damage):
    with opened(tmp_path / "w") as service:
        make_experiment(service)
    path = tmp_path / "w" / "catalogue.sqlite"
    content = bytearray(path.read_bytes())
    if damage == "header":
        content[:64] = bytes(64)
    if damage == "pages":
        content[200:] = b"\xa5" * (len(content) - 200)
    path.write_bytes(b"" if damage == "empty" else content)
    if damage == "absent":
        path.unlink()
    with pytest.raises(Unavailable, match=r"catalogue\.sqlite.*(damaged|exists)"), opened(tmp_path / "w") as service:
        service.send(ListProjects())


# Everything is loaded before the rights are given up: they may be needed to read it.
BEGIN = """
import os, sys
from amlsdk.errors import Unavailable
from amlsdk.local import LocalBackend
from amlsdk.operations.projects import CreateProject, ListProjects
from amlsdk.operations.runs import GetRun, SearchRuns
from amlsdk.records.ids import new_id
scratch, folder, run_id = sys.argv[1:]
backend = LocalBackend(scratch)
backend.open().send(SearchRuns())
backend.close()
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""
READ = """
backend = LocalBackend(folder)
service = backend.open()
assert [item.name for item in service.send(ListProjects()).items] == ["p"]
assert service.send(GetRun(run_id=run_id)).number == 1
assert [item.id for item in service.send(SearchRuns()).items] == [run_id]
try:
    service.send(CreateProject(id=new_id(), name="q"))
except Unavailable as error:
    assert "read-only; make the folder and its files writable" in str(error), error
else:
    raise AssertionError("it was written")
backend.close()
"""
MAKE = """
try:
    LocalBackend(folder)
except Unavailable as error:
    assert "Permission denied; make the place writable" in str(error), error
else:
    raise AssertionError("it was made")
"""


def run_as_nobody(code, *arguments):
    """Run code as somebody without the rights of root, and of another user than the folder's."""
    command = [sys.executable, "-c", BEGIN + code, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def place():
    """A folder that all may look into; those of pytest have parents that only their owner may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("open_meanwhile", [False, True])
def test_a_read_only_workspace_is_read_and_says_why_it_is_not_written(place, tmp_path, open_meanwhile):
    folder = place / "w"
    backend = LocalBackend(folder)
    experiment = make_experiment(backend.open())
    run = backend.open().send(CreateRun(id=new_id(), experiment_id=experiment.id, owner=this_process()))
    if not open_meanwhile:
        backend.close()
    assert (folder / "catalogue.sqlite-wal").exists() == open_meanwhile
    with read_only(folder):
        run_as_nobody(READ, tmp_path / "scratch", folder, run.id)
    backend.close()


@contextlib.contextmanager
def read_only(folder):
    changed = []
    for path in (folder, *folder.rglob("*")):
        changed.append((path, stat.S_IMODE(path.lstat().st_mode)))
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path, mode in changed:
            with contextlib.suppress(FileNotFoundError):
                path.chmod(mode)


def test_a_workspace_can_not_be_made_where_nobody_may_write(place, tmp_path):
    (place / "closed").mkdir()
    with read_only(place / "closed"):
        run_as_nobody(MAKE, tmp_path / "scratch", place / "closed" / "w", "")


def fill(service):
    for number in range(2000):
        service.send(CreateProject(id=new_id(), name=f"p{number}", description="x" * 10_000))


def test_a_full_disk_loses_nothing_that_was_there(tmp_path):
    """The size that files may have stands for the size of the disk."""
    folder = tmp_path / "w"
    with opened(folder) as service:
        first = service.send(CreateProject(id=new_id(), name="first"))

    def work():
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with opened(folder) as service:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, 1 << 18))
            with pytest.raises(Unavailable, match=r"catalogue\.sqlite"):
                fill(service)

    assert ended_well(fork(work))
    with opened(folder) as service:
        assert service.send(GetProject(project_id=first.id)) == first
        assert service.send(CreateProject(id=new_id(), name="after")).name == "after"
