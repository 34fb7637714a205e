"""The command `aml`, as a person types it."""

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios

import pytest

AML = [sys.executable, "-c", "from amlsdk.cli import main; main()"]
TRAIN = "import amlsdk, sys\nprint('hello', *sys.argv[1:])\namlsdk.Run.current().log('loss', 0.25)\n"
LONG = "import time\nprint('up', flush=True)\ntime.sleep(60)\n"


@pytest.fixture
def aml(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text(TRAIN)

    def run(*arguments, code=0):
        command = [*AML, "-w", str(tmp_path / "ws"), *arguments]
        done = subprocess.run(command, cwd=tmp_path / "code", capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    return run


@pytest.fixture
def followed(tmp_path):
    """A command that goes on, up to where it has printed a line."""
    processes = []

    def begin(*arguments, until=None):
        process = subprocess.Popen(
            [*AML, "-w", str(tmp_path / "ws"), *arguments],
            cwd=tmp_path / "code",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        while until is not None and process.stdout.readline().strip() != until:
            assert process.poll() is None
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def test_a_script_is_submitted_followed_listed_and_shown(aml, tmp_path):
    assert "hello --depth 4" in aml("submit", "train.py", "--depth", "4")
    listed = json.loads(aml("run", "list", "--json"))
    assert [(run["status"], run["params"]) for run in listed] == [("Completed", {"depth": "4"})]
    run_id = listed[0]["id"]
    assert run_id in aml("run", "list", "--filter", "metrics.loss < 1")
    assert "metrics.loss" in aml("run", "show", run_id)
    assert aml("run", "logs", run_id) == "hello --depth 4\n"
    assert json.loads(aml("run", "show", run_id, "--json"))["run"]["id"] == run_id
    again = json.loads(aml("run", "resubmit", run_id, "--json"))
    assert "params.depth" in aml("run", "compare", run_id, again["id"])
    assert "code" in aml("project", "list")
    assert "train" in aml("experiment", "list")
    assert "slots" in aml("info")


def test_models_are_registered_listed_and_downloaded(aml, tmp_path):
    (tmp_path / "code" / "model.txt").write_text("weights")
    assert "version 1" in aml("model", "register", "wine", "model.txt")
    assert "wine" in aml("model", "list")
    assert "version 1" in aml("model", "alias", "wine", "live")
    assert json.loads(aml("model", "show", "wine", "--alias", "live", "--json"))["version"] == 1
    aml("model", "download", "wine", str(tmp_path / "got"))
    assert (tmp_path / "got" / "model.txt").read_text() == "weights"
    aml("model", "delete", "wine", "--version", "1", "--yes")
    assert "stay" in aml("gc")


def test_an_error_is_one_line_and_exit_code_1(aml):
    aml("submit", "train.py")
    said = aml("run", "show", "nowhere", code=1)
    assert said.startswith("error: there is no run 'nowhere'")
    assert "Traceback" not in said
    assert "there is no script" in aml("submit", "missing.py", code=1)
    pointed = aml("run", "list", "--filter", "metrics.loss <", code=1)
    assert "^" in pointed


@pytest.mark.parametrize(
    "command",
    [
        "run show nowhere",
        "run logs nowhere",
        "run cancel nowhere",
        "run resubmit nowhere",
        "run download nowhere out",
        "run checkout nowhere out",
        "run delete nowhere --yes",
        "run compare nowhere nowhere",
        "run list --experiment nowhere",
        "run list --project nowhere",
        "project show nowhere",
        "project delete nowhere --yes",
        "experiment delete nowhere --yes",
        "model show nowhere",
        "model alias nowhere best",
        "model download nowhere out",
        "model delete nowhere --version 1 --yes",
        "model register m nowhere",
    ],
)
def test_an_unknown_name_is_told_and_nothing_is_done(aml, command):
    aml("project", "create", "other")
    said = aml(*command.split(), code=1)
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert "nowhere" in said


@pytest.mark.parametrize(
    "command",
    [
        "nothing",
        "run nothing",
        "run show",
        "run show a b",
        "run compare one",
        "run list --limit 0",
        "submit",
        "submit --nothing train.py",
        "submit --tag owner train.py",
        "submit --timeout -3 train.py",
        "submit --folder nowhere train.py",
        "model show m --version 0",
        "model show m --version 1 --alias best",
        "model delete m",
        "gc --grace -1",
    ],
)
def test_what_is_not_understood_has_exit_code_2(aml, command):
    assert "Error: " in aml(*command.split(), code=2)


def test_a_missing_workspace_is_not_made_by_reading(aml, tmp_path):
    said = aml("run", "list", code=1)
    assert said.startswith(f"error: there is no workspace in '{tmp_path / 'ws'}': -w FOLDER|URL")
    assert not (tmp_path / "ws").exists()


def test_a_made_workspace_is_told_to_who_wants_to_know(aml, tmp_path):
    done = subprocess.run(
        [*AML, "-v", "-w", str(tmp_path / "ws"), "project", "create", "p"], capture_output=True, text=True, check=True
    )
    assert done.stderr == f"info: created workspace {tmp_path / 'ws'}\n"


def test_a_failing_script_gives_exit_code_1(aml, tmp_path):
    (tmp_path / "code" / "bad.py").write_text("raise SystemExit(7)")
    aml("submit", "bad.py", code=1)
    assert "exit code   7" in aml("run", "show", "bad-1")


def test_what_follows_the_script_is_the_scripts_own(aml):
    given = ["--name", "x", "--json", "--help", "--depth", "4"]
    assert f"hello {' '.join(given)}" in aml("submit", "--name", "first", "train.py", *given)
    assert [run["name"] for run in json.loads(aml("run", "list", "--json"))] == ["first"]


def test_an_error_of_several_lines_cannot_steer_the_terminal(aml, tmp_path):
    (tmp_path / "code" / "bad.py").write_text("raise ValueError('one\\n\\x1b[31mtwo')")
    aml("submit", "bad.py", code=1)
    shown = aml("run", "show", "bad-1")
    assert "\x1b" not in shown
    assert "ValueError: one" in shown


def test_comparing_names_what_differs_in_code_and_params(aml, tmp_path):
    aml("submit", "train.py", "--depth", "4")
    (tmp_path / "code" / "train.py").write_text(TRAIN + "print('more')\n")
    aml("submit", "train.py", "--depth", "8")
    told = aml("run", "compare", "train-1", "train-2")
    assert "params.depth  4          8" in told
    assert "code from train-1 to train-2: changed train.py" in told
    assert "+print('more')" in aml("run", "compare", "--code", "train-1", "train-2")
    document = json.loads(aml("run", "compare", "train-1", "train-2", "--json"))
    assert document["params"] == {"depth": ["4", "8"]}
    assert document["packages"] == {}
    assert document["code"]["changed"] == ["train.py"]


def test_a_snapshot_is_written_out_and_replaces_nothing_unasked(aml, tmp_path):
    aml("submit", "train.py")
    assert "1 files of" in aml("run", "checkout", "train-1", str(tmp_path / "out"))
    (tmp_path / "out" / "train.py").write_text("changed")
    assert "nothing was written" in aml("run", "checkout", "train-1", str(tmp_path / "out"), code=1)
    aml("run", "checkout", "--overwrite", "train-1", str(tmp_path / "out"))
    assert (tmp_path / "out" / "train.py").read_text() == TRAIN


def test_a_run_is_submitted_again_with_other_arguments(aml):
    aml("submit", "train.py", "--depth", "4")
    told = aml("run", "resubmit", "train-1", "--name", "again", "--", "--depth", "8")
    assert "hello --depth 8" in told
    assert "params.depth" in told


def test_a_slip_in_one_name_deletes_nothing(aml):
    aml("submit", "train.py")
    aml("run", "delete", "train-1", "nowhere", "--yes", code=1)
    assert "train-1" in aml("run", "list")
    assert aml("run", "delete", "train-1", "--yes").startswith("deleted train-1 ")
    assert aml("run", "list") == "no runs\n"


@pytest.mark.parametrize("command", ["run list", "run list --json", "run show many-1", "run logs many-1", "--help"])
def test_a_pipe_that_closes_early_is_no_fault(aml, tmp_path, command):
    (tmp_path / "code" / "many.py").write_text("for number in range(20_000): print('line', number)")
    aml("submit", "many.py")
    process = subprocess.Popen(
        [*AML, "-w", str(tmp_path / "ws"), *command.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) in {0, 1}
    assert said == ""


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_table_keeps_to_the_terminals_width_and_to_whole_ids(aml, tmp_path, terminal_of, columns):
    aml("submit", "--name", "a name of some length that is wide", "train.py", *[f"--p{n}=1" for n in range(9)])
    (record,) = json.loads(aml("run", "list", "--json"))
    shown = terminal_of([*AML, "-w", str(tmp_path / "ws"), "run", "list"], columns)
    assert record["id"] in shown
    assert all(len(line) <= columns for line in shown.splitlines())


@pytest.fixture
def terminal_of(tmp_path):
    """What a command prints to a terminal of so many columns."""

    def run(command, columns):
        parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        process = subprocess.Popen(command, cwd=tmp_path, stdout=child, stderr=child, env=environment)
        os.close(child)
        told = b""
        # Linux answers the end of a terminal with EIO.
        with contextlib.suppress(OSError):
            while chunk := os.read(parent, 4096):
                told += chunk
        os.close(parent)
        assert process.wait(timeout=30) == 0, told
        return told.decode().replace("\r\n", "\n")

    return run


def test_ctrl_c_ends_the_run_and_shows_its_output_once(aml, followed, tmp_path):
    (tmp_path / "code" / "long.py").write_text(LONG)
    process = followed("submit", "long.py", until="up")
    os.kill(process.pid, signal.SIGINT)
    told, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "up" not in told
    assert "Canceled" in told
    assert [run["status"] for run in json.loads(aml("run", "list", "--json"))] == ["Canceled"]


def test_ctrl_c_before_the_run_is_known_leaves_none_behind(aml, followed, tmp_path):
    (tmp_path / "code" / "long.py").write_text(LONG)
    aml("project", "create", "p")
    process = followed("submit", "long.py")
    # The project is made just before the run is.
    while "code" not in aml("project", "list"):
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert all(run["status"] == "Canceled" for run in json.loads(aml("run", "list", "--json")))


def test_ctrl_c_twice_stops_at_once(aml, followed, tmp_path):
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    (tmp_path / "code" / "long.py").write_text(stubborn + LONG)
    process = followed("submit", "long.py", until="up")
    os.kill(process.pid, signal.SIGINT)
    while "cancelling" not in process.stderr.readline():
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    aml("run", "logs", "--follow", "long-1")
    assert [run["status"] for run in json.loads(aml("run", "list", "--json"))] == ["Canceled"]


def test_a_detached_run_goes_on(aml):
    run_id = aml("submit", "--detach", "train.py").strip()
    lines = aml("run", "logs", "--follow", run_id)
    assert lines == "hello\n"
