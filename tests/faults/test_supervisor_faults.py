"""Supervisors, scripts and submitters that are killed, and disks that are full."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import amlsdk

can_mount = sys.platform == "linux" and os.geteuid() == 0
needs_mount = pytest.mark.skipif(not can_mount, reason="only root on Linux may mount a small disk")

SUBMIT = """
import os, signal, sys, amlsdk
experiment = amlsdk.connect(sys.argv[1]).projects.get("p").experiments.get("e")
print(experiment.submit("train.py").id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
WORKING = """
import os, pathlib, time, amlsdk
amlsdk.Run.current().log("loss", 0.25)
pathlib.Path("outputs/so-far").write_text("half")
print("working")
child = os.fork()
if child == 0:
    os.setsid()
    time.sleep(600)
pathlib.Path("outputs/pids").write_text(f"{os.getpid()} {child}")
pathlib.Path("outputs/ready").touch()
time.sleep(600)
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    return folder


@pytest.fixture
def workspace(tmp_path):
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        yield workspace


@pytest.fixture
def experiment(workspace, project):
    return workspace.projects.get_or_create("p", folder=project).experiments.get_or_create("e")


@pytest.fixture
def submit(experiment, project):
    def submitted(script, **options):
        (project / "train.py").write_text(script)
        return experiment.submit("train.py", **options)

    return submitted


@pytest.fixture
def mounted():
    """Mount a small disk in a folder: `mounted(folder, "1m")`."""
    places = []

    def mount(folder, size):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)
        places.append(folder)

    yield mount
    for place in places:
        subprocess.run(["umount", "-l", place], check=True)


def until(fact, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not (found := fact()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return found


def ended(run):
    return run.wait(60, raise_on_error=False)


def work_of(workspace, run):
    return Path(workspace.location) / "runs" / run.id / "work"


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_run_outlives_the_process_that_submitted_it(workspace, experiment, project, tmp_path):
    assert experiment.name == "e"
    (project / "train.py").write_text(
        f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\nprint('done')\n"
    )
    command = [sys.executable, "-c", SUBMIT, workspace.location]
    done = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (tmp_path / "go").touch()
    run = ended(workspace.runs.get(done.stdout.strip()))
    assert (run.status, list(run.logs())) == ("Completed", ["done"])


def test_a_lost_supervisor_leaves_no_process_and_loses_nothing(workspace, submit):
    """At the next contact the run has failed with the reason, and what it had written by then is kept."""
    run = submit(WORKING)
    until((work_of(workspace, run) / "outputs/ready").exists)
    pids = [int(pid) for pid in (work_of(workspace, run) / "outputs/pids").read_text().split()]
    os.kill(until(lambda: run.refresh().record.owner).pid, signal.SIGKILL)
    ended(run)
    assert run.status == "Failed"
    assert run.error.startswith("its supervisor (process ")
    assert not any(is_alive(pid) for pid in pids)
    assert run.outputs.read_text("so-far") == "half"
    assert run.metrics == {"loss": 0.25}
    assert list(run.logs()) == ["working"]


def test_a_killed_script_fails_and_what_it_wrote_is_kept(workspace, submit):
    run = submit(WORKING)
    until((work_of(workspace, run) / "outputs/ready").exists)
    script, child = map(int, (work_of(workspace, run) / "outputs/pids").read_text().split())
    os.kill(script, signal.SIGKILL)
    ended(run)
    assert (run.status, run.error) == ("Failed", "killed by SIGKILL (out of memory?)")
    assert not is_alive(child)
    assert run.outputs.read_text("so-far") == "half"
    assert run.metrics == {"loss": 0.25}


def test_a_snapshot_that_is_gone_fails_the_run_with_the_reason(workspace, submit):
    """A queued run whose blob is deleted meanwhile ends, and the one behind it runs."""
    workspace.update(slots=1)
    first = submit("import pathlib, time\npathlib.Path('outputs/ready').touch()\ntime.sleep(600)\n")
    broken = submit("print('broken')")
    whole = submit("print('whole')")
    until((work_of(workspace, first) / "outputs/ready").exists)
    digest = broken.record.job.snapshot
    (Path(workspace.location) / "blobs" / digest[:2] / digest[2:]).unlink()
    first.cancel()
    assert ended(broken).status == "Failed"
    assert broken.error == f"it could not be started: no blob {digest} is stored"
    assert not work_of(workspace, broken).exists()
    assert ended(whole).status == "Completed"


@needs_mount
def test_outputs_that_do_not_fit_fail_the_run_and_stay(workspace, submit, tmp_path, mounted):
    run = submit(
        "import os, pathlib, time\npathlib.Path('outputs/large').write_bytes(os.urandom(3 << 20))\n"
        "pathlib.Path('outputs/ready').touch()\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n"
    )
    until((work_of(workspace, run) / "outputs/ready").exists)
    mounted(Path(workspace.location) / "blobs", "1m")
    (tmp_path / "go").touch()
    ended(run)
    assert run.status == "Failed"
    assert run.error.startswith("its outputs could not be kept: ")
    assert "No space left on device" in run.error
    assert (work_of(workspace, run) / "outputs/large").stat().st_size == 3 << 20


@needs_mount
def test_a_disk_that_takes_no_working_folder_fails_the_run(workspace, experiment, project, mounted):
    (project / "train.py").write_text("print(1)")
    (project / "data").write_bytes(os.urandom(3 << 20))
    mounted(Path(workspace.location) / "runs", "1m")
    run = ended(experiment.submit("train.py"))
    assert run.status == "Failed"
    assert run.error.startswith("it could not be started: ")
    assert "No space left on device" in run.error


def test_a_catalogue_that_is_busy_at_the_end_is_waited_for(workspace, submit, tmp_path):
    """A run's end is reported when the catalogue can be written again."""
    run = submit(
        "import os, pathlib, time\npathlib.Path('outputs/ready').touch()\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n"
    )
    until(lambda: run.refresh().status == "Running")
    holder = sqlite3.connect(Path(workspace.location) / "catalogue.sqlite", isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        (tmp_path / "go").touch()
        # The outputs are kept and the folder removed while no state can be written.
        until(lambda: not work_of(workspace, run).exists())
    finally:
        holder.close()
    assert ended(run).status == "Completed"


def test_a_supervisor_whose_submitter_is_gone_ends_by_itself(tmp_path):
    """Without a word, or with half of one, there is nothing to do, and nothing is printed."""
    for said in (b"", b'{"claimed": {"id'):
        started = subprocess.Popen(
            [sys.executable, "-m", "amlsdk.execution"],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        # Its streams end when the detached process has ended, too.
        output, errors = started.communicate(said, timeout=30)
        assert output.startswith(b'{"identity": ')
        assert errors == b""
