"""Journals that were damaged, copied or left behind, and processes that are killed while they take them in."""

import re
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from amlsdk.journal.writer import JournalWriter
from amlsdk.local import LocalBackend
from amlsdk.operations.experiments import CreateExperiment
from amlsdk.operations.projects import CreateProject
from amlsdk.operations.runs import CreateRun, GetRun, GetRunContext, ReadSeries
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id
from amlsdk.records.series import unpack

LOGGER = """
import sys
from pathlib import Path
from amlsdk.journal.writer import JournalWriter
writer = JournalWriter(Path(sys.argv[1]), sys.argv[2])
for number in range(3):
    writer.metric("loss", number)
print(writer.path, flush=True)
sys.stdin.read()
"""

READER = """
import sys
from amlsdk.local import LocalBackend
from amlsdk.operations.runs import GetRun
service = LocalBackend(sys.argv[1]).open()
print("ready", flush=True)
sys.stdin.readline()
print(service.send(GetRun(run_id=sys.argv[2])).metrics["loss"].count, flush=True)
"""

# Takes in a run's journal, and is killed where the function of a module was just called.
KILLED = """
import importlib, os, signal, sys
from amlsdk.local import LocalBackend
from amlsdk.operations.runs import GetRun
module = importlib.import_module(sys.argv[3])
original = getattr(module, sys.argv[4])
def killed(*args, **fields):
    original(*args, **fields)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, sys.argv[4], killed)
LocalBackend(sys.argv[1]).open().send(GetRun(run_id=sys.argv[2]))
"""


@pytest.fixture
def backend(tmp_path):
    backend = LocalBackend(tmp_path / "workspace")
    yield backend
    backend.close()


@pytest.fixture
def service(backend):
    return backend.open()


@pytest.fixture
def run(service):
    project = service.send(CreateProject(id=new_id(), name="wine"))
    experiment = service.send(CreateExperiment(id=new_id(), project_id=project.id, name="train"))
    return service.send(CreateRun(id=new_id(), experiment_id=experiment.id, owner=this_process()))


@pytest.fixture
def journal(backend, run):
    """A journal of 100 points that has ended."""
    writer = JournalWriter(backend.spool.journals, run.id)
    for number in range(100):
        writer.metric("loss", number)
    writer.close()
    return writer.path


def start(script, *arguments):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def values(service, run):
    return list(unpack(service.send(ReadSeries(run_id=run.id, name="loss")).read()).values)


def bad_lines(service, run):
    return service.send(GetRunContext(run_id=run.id)).bad_lines


def on_another_host(content):
    """Return a journal as a process of another machine would have written it, whose number nobody has here."""
    line, rest = content.split(b"\n", 1)
    head = re.sub(rb'"p":\d+,"h":"[^"]*"', b'"p":999999999,"h":"elsewhere"', line[: line.rindex(b',"c":')])
    return b'%b,"c":%d}\n%b' % (head, zlib.crc32(head), rest)


def test_a_damaged_line_costs_one_point_and_is_named(service, run, journal):
    content = bytearray(journal.read_bytes())
    place = content.index(b'"x":50.0')
    content[place + 4] ^= 1
    journal.write_bytes(content)
    line = content.rindex(b"\n", 0, place) + 1
    assert values(service, run) == [float(number) for number in range(100) if number != 50]
    assert bad_lines(service, run) == (f"{journal.name[27:43]}:{line}",)
    assert not journal.exists()


def test_a_copy_that_turns_up_later_is_removed_and_doubles_nothing(service, run, journal):
    content = journal.read_bytes()
    for _ in range(3):
        assert len(values(service, run)) == 100
        assert not journal.exists()
        journal.write_bytes(content)
    assert len(values(service, run)) == 100


def test_a_copy_that_grows_brings_each_point_once(service, run, journal):
    content = journal.read_bytes()
    for part in range(1, 11):
        journal.write_bytes(content[: len(content) * part // 10])
        service.send(GetRun(run_id=run.id))
    assert values(service, run) == list(range(100))
    assert bad_lines(service, run) == ()
    journal.write_bytes(content[: len(content) // 2])
    assert values(service, run) == list(range(100))


def test_a_killed_process_leaves_its_points_and_a_torn_line_that_is_named(backend, service, run):
    with start(LOGGER, backend.spool.journals, run.id) as child:
        path = Path(child.stdout.readline().strip())
        assert values(service, run) == [0, 1, 2]
        child.kill()
    end = path.stat().st_size
    with path.open("ab") as file:
        file.write(b'{"v":1,"k":"metric","n":"lo')
    assert values(service, run) == [0, 1, 2]
    assert [line.split(":")[1] for line in bad_lines(service, run)] == [str(end)]
    assert not path.exists()


def test_a_journal_of_another_machine_stays_until_it_has_ended(service, run, journal):
    """Its lock can't be relied on here, on file systems without locks."""
    content = on_another_host(journal.read_bytes())
    cut = content.index(b"\n", len(content) // 2) + 1
    journal.write_bytes(content[:cut])
    before = values(service, run)
    assert journal.exists()
    journal.write_bytes(content)
    assert values(service, run) == list(range(100))
    assert 0 < len(before) < 100
    assert not journal.exists()


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("amlsdk.local.appending", "move"),
        ("amlsdk.local.appending", "_apply_batch"),
        ("amlsdk.local.ingest", "append"),
        ("amlsdk.local.ingest", "wait_for_disk"),
        ("amlsdk.local.ingest", "remove"),
    ],
)
def test_who_is_killed_while_taking_in_a_journal_loses_and_doubles_nothing(
    backend, service, run, journal, module, function
):
    child = subprocess.run([sys.executable, "-c", KILLED, backend.location, run.id, module, function], check=False)
    assert child.returncode == -signal.SIGKILL
    assert values(service, run) == list(range(100))
    assert service.send(GetRun(run_id=run.id)).metrics["loss"].count == 100
    assert not journal.exists()


def test_eight_processes_that_read_at_once_see_every_point_once(backend, service, run):
    writers = [JournalWriter(backend.spool.journals, run.id) for _ in range(4)]
    for writer in writers:
        for number in range(2000):
            writer.metric("loss", number)
    readers = [start(READER, backend.location, run.id) for _ in range(8)]
    assert [reader.stdout.readline() for reader in readers] == ["ready\n"] * 8
    for reader in readers:
        reader.stdin.write("go\n")
        reader.stdin.flush()
    assert [reader.communicate()[0] for reader in readers] == ["8000\n"] * 8
    for writer in writers:
        writer.close()
    assert values(service, run) == [float(number) for number in range(2000) for _ in range(4)]
    assert list(backend.spool.journals.glob("*.jsonl")) == []
