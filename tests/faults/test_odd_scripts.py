"""Scripts that do odd things to their folder, output and processes: the run ends, and nothing else is harmed."""

import subprocess
import sys
from pathlib import Path

import pytest

import amlsdk

DEEP = "import os\nopen('outputs/made', 'w').close()\nfor _ in range(1200):\n    os.mkdir('d')\n    os.chdir('d')\n"
DEEPER = DEEP.replace("1200", "3000")
DAEMON = """
import os, subprocess, sys
waiting = "import time, sys\\nsys.stdout.close()\\ntime.sleep(600)"
subprocess.Popen([sys.executable, "-c", waiting, "--password", "hunter2"], start_new_session=True)
subprocess.Popen(["sleep", "600"], start_new_session=True)
"""
DEAF = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
open(f"outputs/{os.getpid()}", "w").close()
time.sleep(600)
"""


@pytest.fixture
def workspace(tmp_path):
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        yield workspace


@pytest.fixture
def run_script(workspace, tmp_path):
    """Submit a script and wait for its end: `run_script("print(1)")`."""
    code = tmp_path / "code"
    code.mkdir()
    experiment = workspace.projects.get_or_create("p", folder=code).experiments.get_or_create("e")

    def run(script, **options):
        (code / "train.py").write_text(script)
        return experiment.submit("train.py", **options).wait(60, raise_on_error=False)

    return run


@pytest.fixture
def elsewhere(tmp_path):
    """A folder that is not the run's, and that must stay as it is."""
    folder = tmp_path / "elsewhere"
    (folder / "outputs").mkdir(parents=True)
    (folder / "outputs" / "precious").write_text("mine")
    (folder / "train.py").write_text("mine")
    yield folder
    assert (folder / "outputs" / "precious").read_text() == "mine"
    assert (folder / "train.py").read_text() == "mine"


def work_of(workspace, run):
    return Path(workspace.location) / "runs" / run.id / "work"


def notes_of(run):
    return [note["text"] for note in run.context.get("notes", [])]


@pytest.mark.parametrize("script", [DEEP, DEEPER])
def test_folders_nested_deeper_than_python_can_follow_fail_no_run(run_script, workspace, script):
    run = run_script(script)
    # Not even the standard library removes such a tree.
    subprocess.run(["rm", "-rf", work_of(workspace, run)], check=True)  # found where the system keeps it
    assert (run.status, run.error) == ("Completed", None)
    assert [file.path for file in run.outputs] == ["outputs/made"]


def test_a_folder_too_deep_to_be_looked_into_is_named_and_stays(run_script, workspace):
    run = run_script(DEEPER)
    (note,) = notes_of(run)
    assert note.startswith("1 file was written outside of outputs/ and not kept with the run: ...d/d/")
    assert (work_of(workspace, run) / "d" / "d").exists()
    subprocess.run(["rm", "-rf", work_of(workspace, run)], check=True)  # found where the system keeps it


def test_a_script_that_removes_its_own_folder_has_completed(run_script):
    run = run_script("import os, shutil\nshutil.rmtree(os.getcwd())\n")
    assert (run.status, run.error, len(run.outputs)) == ("Completed", None, 0)


@pytest.mark.parametrize("place", [".", "outputs"])
def test_where_a_link_in_place_of_a_folder_leads_is_not_the_run_s(run_script, elsewhere, place):
    run = run_script(
        f"import os\nplace = os.path.abspath({place!r})\nos.rename(place, place + '-moved')\n"
        f"os.symlink({str(elsewhere if place == '.' else elsewhere / 'outputs')!r}, place)\n"
    )
    assert run.status == "Completed"
    assert len(run.outputs) == 0
    assert "(a link)" in notes_of(run)[0]


def test_a_script_that_removes_what_it_printed_has_completed(run_script):
    run = run_script("import os\nopen('stray', 'w').close()\nos.remove('../output.log')\n")
    assert (run.status, run.error, list(run.logs())) == ("Completed", None, [])
    assert "stray" in notes_of(run)[0]


def test_a_pipe_in_place_of_what_was_printed_holds_nobody_up(run_script):
    run = run_script(
        "import os\nos.remove('../output.log')\nos.mkfifo('../output.log')\nopen('stray', 'w').close()\n1 / 0\n"
    )
    assert (run.status, run.error) == ("Failed", "exit code 1")


def test_names_of_files_do_nothing_to_a_terminal(run_script):
    run = run_script("open('a\\n\\x1b[31mb', 'w').close()\nopen(b'\\xff', 'w').close()\n")
    (line,) = run.logs()
    assert line.isprintable()
    assert "a\\n\\x1b[31mb, \\udcff; still in " in line


def test_what_a_script_leaves_running_is_ended_and_named_without_its_arguments(run_script):
    run = run_script(DAEMON)
    assert run.status == "Completed"
    (note,) = notes_of(run)
    assert f"{Path(sys.executable).name};" in note
    assert "sleep" in note
    assert "hunter2" not in note
    assert "import time" not in note


def test_a_script_that_ignores_signals_in_several_sessions_does_not_outlive_its_time(run_script):
    run = run_script(DEAF, timeout_s=0.5)
    assert (run.status, run.error) == ("Failed", "ran longer than timeout_s=0.5")
    pids = [file.path.removeprefix("outputs/") for file in run.outputs]
    assert pids
    assert not [pid for pid in pids if Path("/proc", pid).exists()]
