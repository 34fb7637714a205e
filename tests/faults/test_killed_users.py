"""kill -9 of processes that use the library as people do: those that log, that submit, and that drive runs."""

import mmap
import os
import random
import signal
import subprocess
import sys

import pytest

import amlsdk
from amlsdk.resources import run_following

# Python 3.12 and newer warn of any fork beside threads; the children here begin connections of their own.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

MOMENTS = 12

# Submits a script, and is killed where the function of a module has just been called.
SUBMIT = """
import importlib, os, signal, sys, amlsdk
experiment = amlsdk.connect(sys.argv[1]).projects.get("p").experiments.get("e")
owner = importlib.import_module(sys.argv[2])
*path, name = sys.argv[3].split(".")
for part in path:
    owner = getattr(owner, part)
original = getattr(owner, name)
def killed(*args, **fields):
    original(*args, **fields)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, killed)
experiment.submit("train.py")
"""

# Loaded by every Python of the supervisor's environment; only the supervisor is killed, where a function is called.
SITE = """
import os, signal, sys
def kill(frame, event, _):
    code = frame.f_code
    if event == "call" and code.co_name == os.environ["KILLED_AT"] and "amlsdk/execution" in code.co_filename:
        os.kill(os.getpid(), signal.SIGKILL)
if "amlsdk.execution" in sys.orig_argv:
    sys.setprofile(kill)
"""


@pytest.fixture
def workspace(tmp_path):
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        yield workspace


@pytest.fixture
def code(tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "train.py").write_text("open('outputs/made', 'w').write('whole')\nprint('done')\n")
    return folder


@pytest.fixture
def experiment(workspace, code):
    return workspace.projects.get_or_create("p", folder=code).experiments.get_or_create("e")


def log_for_ever(folder, shared, moment, said):
    with amlsdk.connect(folder) as workspace:
        run = workspace.projects.get_or_create("p").experiments.get_or_create("e").start_run()
        number = 0
        while True:
            run.log("counter", number)
            number += 1
            shared[0] = number
            if number == moment:
                os.write(said, run.id.encode())


def kill_at(folder, moment, spins):
    """Kill a process soon after so many of its calls have returned; returns its run and how many had returned."""
    told, said = os.pipe()
    # A number is stored here by one instruction, so that a kill leaves the old one or the new one.
    with mmap.mmap(-1, 8) as memory, memoryview(memory).cast("Q") as shared:
        child = os.fork()
        if child == 0:
            try:
                log_for_ever(folder, shared, moment, said)
            finally:
                os._exit(1)
        os.close(said)
        run_id = os.read(told, 100).decode()
        assert run_id, "the child ended by itself"
        for _ in range(spins):  # not a wait: it spreads the moments over the steps of one call
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(told)
        return run_id, shared[0]


def test_what_a_killed_process_had_logged_is_there_and_its_run_has_failed(tmp_path):
    seeded = random.Random(21)
    killed = [kill_at(tmp_path / "w", seeded.randrange(1, 500), seeded.randrange(300)) for _ in range(MOMENTS)]
    with amlsdk.connect(tmp_path / "w") as workspace:
        for run_id, returned in killed:
            run = workspace.runs.get(run_id)
            assert run.status == "Failed"
            assert "ended without ending the run" in run.error
            values = list(run.series("counter").values)
            assert values == list(range(len(values)))
            # The call that was killed may have written its line and not have returned.
            assert returned <= len(values) <= returned + 1
        assert len(workspace.runs.list()) == MOMENTS
        assert list((tmp_path / "w" / "journals").glob("*.jsonl")) == []


def test_a_killed_run_is_gone_on_with(tmp_path):
    run_id, returned = kill_at(tmp_path / "w", 100, 0)
    with amlsdk.connect(tmp_path / "w") as workspace:
        with workspace.experiments.get("e").start_run(resume=run_id) as run:
            run.log("after", 1.0)
        assert run.status == "Completed"
        assert run.metrics["after"] == 1.0
        assert len(run.series("counter")) in (returned, returned + 1)


@pytest.mark.parametrize(
    ("module", "function", "ends"),
    [
        ("amlsdk.resources.submitting", "_store_folder", []),
        ("amlsdk.resources.submitting", "_create", ["Completed"]),
        ("amlsdk.handing.runs", "to_json", ["Failed"]),
        ("amlsdk.processes.launching", "Detached._answer", ["Completed"]),
        ("amlsdk.resources.submitting", "_note_surroundings", ["Completed"]),
    ],
)
def test_wherever_a_submitter_is_killed_no_run_hangs(workspace, experiment, monkeypatch, module, function, ends):
    """Killed between the claim of a run and handing it over, the run has failed with the reason."""
    monkeypatch.setattr(run_following, "_RELAUNCH_S", 0.1)
    assert experiment.name == "e"
    command = [sys.executable, "-c", SUBMIT, workspace.location, module, function]
    done = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    runs = [run.wait(30, raise_on_error=False) for run in workspace.runs.list()]
    assert [run.status for run in runs] == ends
    assert all("its supervisor" in run.error for run in runs if run.status == "Failed")
    assert experiment.submit("train.py").wait(30).outputs.read_text("made") == "whole"


@pytest.mark.parametrize(
    ("function", "made"),
    [("prepare", 0), ("finish", 1), ("collect_outputs", 1), ("find_strays", 1), ("deliver_all", 1)],
)
def test_wherever_a_supervisor_is_killed_its_run_has_failed_and_keeps_its_outputs(
    workspace, experiment, tmp_path, monkeypatch, function, made
):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
    with monkeypatch.context() as patched:
        patched.setenv("PYTHONPATH", str(tmp_path / "site"))
        patched.setenv("KILLED_AT", function)
        run = experiment.submit("train.py")
    run.wait(30, raise_on_error=False)
    assert run.status == "Failed"
    assert run.error.startswith("its supervisor (process ")
    assert len(run.outputs) == made
    again = run.resubmit().wait(30)
    assert again.outputs.read_text("made") == "whole"


@pytest.mark.parametrize("follow", ["wait", "logs"])
def test_runs_behind_a_killed_supervisor_are_driven_by_another(workspace, experiment, code, monkeypatch, follow):
    monkeypatch.setattr(run_following, "_RELAUNCH_S", 0.1)
    workspace.update(slots=1)
    (code / "long.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(600)\n")
    first = experiment.submit("long.py")
    assert next(first.logs(follow=True)) == "up"
    second = experiment.submit("train.py")
    assert second.status == "Queued"
    os.kill(first.refresh().record.owner.pid, signal.SIGKILL)
    lines = list(second.logs(follow=True)) if follow == "logs" else list(second.wait(30).logs())
    assert lines == ["done"]
    assert first.wait(30, raise_on_error=False).status == "Failed"
