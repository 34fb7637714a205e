"""Scripts driven by a supervisor, with real processes in a workspace of a folder."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from amlsdk.operations.runs import ReadOutput

READY = "import pathlib, time\npathlib.Path('outputs/ready').touch()\n"
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    open("outputs/daemon", "w").write(str(os.getpid()))
    time.sleep(600)
os.wait()
while not os.path.exists("outputs/daemon") or not os.path.getsize("outputs/daemon"):
    time.sleep(0.01)
"""


@pytest.fixture
def submit(folder_workspace, code):
    """Submit a script: `submit("print(1)", arguments=[...])`."""
    experiment = folder_workspace.projects.get_or_create("p", folder=code("train.py", "").parent).experiments
    experiment = experiment.get_or_create("e")

    def submitted(script, **options):
        code("train.py", script)
        return experiment.submit("train.py", **options)

    return submitted


def ended(run):
    return run.wait(60, raise_on_error=False)


def folder_of(workspace, run):
    return Path(workspace.location) / "runs" / run.id


def until(fact, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not (found := fact()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return found


def output_of(run):
    return run._client.send(ReadOutput(run_id=run.id, limit_bytes=1 << 30)).read()


def notes_of(run):
    return [note["text"] for note in run.context.get("notes", [])]


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_script_that_changes_its_folder_loses_nothing(submit):
    run = ended(submit("import os\nos.chdir('/')\nopen(os.environ['AMLSDK_OUTPUTS'] + '/a', 'w').write('b')\n"))
    assert run.status == "Completed"
    assert run.outputs.read_text("a") == "b"


def test_lines_of_a_journal_that_the_script_wrote_are_kept(submit):
    script = (
        "import os, pathlib\nfrom amlsdk.journal.writer import JournalWriter\n"
        "journal = JournalWriter(pathlib.Path(os.environ['AMLSDK_JOURNALS']), os.environ['AMLSDK_RUN_ID'])\n"
        "journal.metric('loss', 0.5)\njournal.close()\n"
    )
    assert ended(submit(script)).metrics == {"loss": 0.5}


def test_output_is_kept_byte_by_byte(submit):
    run = ended(submit("import os\nos.write(1, b'\\xff\\x00\\r\\n\\xc3')\nos.write(2, b'\\xa4 end')\n"))
    assert output_of(run) == b"\xff\x00\r\n\xc3\xa4 end"


def test_a_failing_script_whose_output_is_not_utf8_says_why(submit):
    run = ended(submit("import os\nos.write(2, b'\\xff broken')\nraise SystemExit(3)\n"))
    assert (run.status, run.record.exit_code) == ("Failed", 3)
    assert run.error == "exit code 3: \ufffd broken"


def test_links_modes_and_what_can_not_be_kept_of_the_outputs(submit):
    script = (
        "import os, socket\nos.chdir('outputs')\nos.makedirs('sub/empty')\n"
        "open('sub/a', 'w').write('x')\nopen('tool', 'w').close()\nos.chmod('tool', 0o755)\n"
        "os.symlink('sub/a', 'inside')\nos.symlink('sub', 'folder')\n"
        "os.symlink('/etc/passwd', 'outside')\nos.symlink('../../..', 'above')\n"
        "socket.socket(socket.AF_UNIX).bind('socket')\n"
    )
    run = ended(submit(script))
    assert run.status == "Completed"
    modes = {entry.path: entry.mode for entry in run.files if entry.kind == "output"}
    assert modes == {
        "outputs/folder": "link",
        "outputs/inside": "link",
        "outputs/sub/a": "file",
        "outputs/tool": "executable",
    }
    (note,) = notes_of(run)
    assert all(name in note for name in ("outside -> /etc/passwd", "above -> ../../..", "socket (no regular file)"))


def test_files_beside_the_outputs_are_named_and_stay(submit, folder_workspace, code):
    code("same.txt", "same")
    code("changed.txt", "old!")
    script = (
        "import os\nos.makedirs('logs/__pycache__')\nopen('logs/a.txt', 'w').write('stray')\n"
        "open('logs/__pycache__/a.pyc', 'w').close()\nopen('outputs/kept', 'w').close()\n"
        "open('same.txt', 'w').write('same')\n"
        "open('changed.txt', 'w').write('new!')\nos.utime('changed.txt', (0, 0))\nprint('no newline', end='')\n"
    )
    run = ended(submit(script))
    work = folder_of(folder_workspace, run) / "work"
    assert run.status == "Completed"
    lines = output_of(run).decode().splitlines()
    assert lines[0] == "no newline"
    assert lines[1].startswith("amlsdk: 2 files were written outside of outputs/")
    assert f"changed.txt, logs/a.txt; still in {work}" in lines[1]
    assert notes_of(run) == [lines[1].removeprefix("amlsdk: ")]
    assert (work / "logs" / "a.txt").read_text() == "stray"
    assert not (work / "outputs").exists()


def test_a_tidy_run_leaves_only_its_output(submit, folder_workspace, tmp_path):
    (tmp_path / "data").write_text("1")
    run = ended(submit("open('outputs/a', 'w').close()", inputs={"data": tmp_path / "data"}))
    names = {path.name for path in folder_of(folder_workspace, run).iterdir()}
    assert names == {"output.log", "processes.json", "supervisor.log"}


def test_a_daemon_ends_with_the_script_and_is_named(submit):
    run = ended(submit(DAEMON))
    assert run.status == "Completed"
    assert not is_alive(int(run.outputs.read_text("daemon")))
    (note,) = notes_of(run)
    assert note.startswith("still running when the script had ended, and ended: ")


def test_a_cancelled_script_may_tidy_up(submit, folder_workspace):
    script = (
        "import signal, sys\ndef tidy(*_):\n    open('outputs/tidied', 'w').close()\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, tidy)\n" + READY + "time.sleep(600)\n"
    )
    run = submit(script)
    until((folder_of(folder_workspace, run) / "work/outputs/ready").exists)
    run.cancel()
    assert (ended(run).status, run.error) == ("Canceled", "cancelled by request")
    assert "tidied" in [entry.path.removeprefix("outputs/") for entry in run.files]


def test_a_script_that_ignores_all_signals_is_cancelled_with_its_children(submit, folder_workspace):
    script = (
        "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.fork()\n"
        "open(f'outputs/{os.getpid()}', 'w').close()\n" + READY + "time.sleep(600)\n"
    )
    run = submit(script)
    outputs = folder_of(folder_workspace, run) / "work" / "outputs"
    until(lambda: outputs.exists() and len(list(outputs.iterdir())) == 3)
    pids = [int(path.name) for path in outputs.iterdir() if path.name != "ready"]
    run.cancel()
    assert ended(run).status == "Canceled"
    assert not any(is_alive(pid) for pid in pids)


def test_a_script_that_runs_too_long_fails(submit):
    run = ended(submit(READY + "time.sleep(600)", timeout_s=0.5))
    assert (run.status, run.error) == ("Failed", "ran longer than timeout_s=0.5")
    assert run.duration.total_seconds() < 10


def test_a_script_hears_the_signals_of_its_own_tools(submit):
    """Signals that the supervisor does not care for are not ignored by the script because of that."""
    script = (
        "import signal\nassert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL\n"
        "assert signal.getsignal(signal.SIGINT) == signal.default_int_handler\n"
    )
    assert ended(submit(script)).status == "Completed"


def test_a_run_that_a_run_submitted_outlives_it(submit, code, folder_workspace, tmp_path):
    """The supervisor of the second is no process of the first, neither when that ends nor when it is marked."""
    code("second.py", f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n")
    script = (
        "import os, amlsdk\nworkspace = amlsdk.connect(os.environ['AMLSDK_SERVICE_URL'])\n"
        "second = workspace.projects.get('p').experiments.get('e').submit('second.py', folder='.')\n"
        "open('outputs/second', 'w').write(second.id)\n"
    )
    folder_workspace.update(slots=2)
    first = ended(submit(script))
    assert first.status == "Completed", first.error
    second = folder_workspace.runs.get(first.outputs.read_text("second"))
    until(lambda: second.refresh().status == "Running")
    (tmp_path / "go").touch()
    assert ended(second).status == "Completed"


def test_queued_runs_begin_in_order_and_never_more_than_there_are_slots(submit, folder_workspace, tmp_path):
    folder_workspace.update(slots=2)
    live = tmp_path / "live"
    live.mkdir()
    script = (
        f"import os, time\nlive = {str(live)!r}\nmine = os.path.join(live, str(os.getpid()))\n"
        "open(mine, 'w').close()\nprint(len(os.listdir(live)))\ntime.sleep(0.3)\nos.remove(mine)\n"
    )
    runs = [ended(run) for run in [submit(script) for _ in range(6)]]
    assert {run.status for run in runs} == {"Completed"}
    assert {int(output_of(run)) for run in runs} <= {1, 2}
    begun = [run.started_at for run in runs]
    # Two supervisors that claim at the same time may start their scripts in either order.
    assert all(early < late for early, late in zip(begun, begun[2:], strict=False))


def test_told_to_stop_a_supervisor_cancels_its_run(submit, folder_workspace):
    run = submit(READY + "time.sleep(600)")
    until((folder_of(folder_workspace, run) / "work/outputs/ready").exists)
    os.kill(run.refresh().record.owner.pid, signal.SIGTERM)
    assert (ended(run).status, run.error) == ("Canceled", "its supervisor was told to stop")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_much_output_and_a_large_file_take_little_memory(submit, folder_workspace, tmp_path):
    script = (
        "import os, time\nblock = b'x' * (1 << 20)\nfor _ in range(200): os.write(1, block)\n"
        "with open('outputs/large', 'wb') as file: file.truncate(512 << 20)\n"
        + READY
        + f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n"
    )
    run = submit(script)
    until((folder_of(folder_workspace, run) / "work/outputs/ready").exists)
    status = Path(f"/proc/{run.refresh().record.owner.pid}/status")
    (tmp_path / "go").touch()
    peaks = []
    while run.refresh().status not in ("Completed", "Failed"):
        peaks += [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        time.sleep(0.02)
    assert run.status == "Completed"
    assert 0 < max(map(int, peaks)) < 100_000
    assert (folder_of(folder_workspace, run) / "output.log").stat().st_size == 200 << 20
