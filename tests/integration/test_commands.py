"""The command `aml`, as a person types it."""

import json
import os
import signal
import subprocess
import sys

import pytest

TRAIN = "import amlsdk, sys\nprint('hello', *sys.argv[1:])\namlsdk.Run.current().log('loss', 0.25)\n"


@pytest.fixture
def aml(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text(TRAIN)

    def run(*arguments, code=0):
        command = [sys.executable, "-c", "from amlsdk.cli import main; main()", "-w", str(tmp_path / "ws"), *arguments]
        done = subprocess.run(command, cwd=tmp_path / "code", capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    return run


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


def test_a_missing_workspace_is_not_made_by_reading(aml, tmp_path):
    assert "error:" in aml("run", "list", code=1)
    assert not (tmp_path / "ws").exists()


def test_a_failing_script_gives_exit_code_1(aml, tmp_path):
    (tmp_path / "code" / "bad.py").write_text("raise SystemExit(7)")
    aml("submit", "bad.py", code=1)


def test_ctrl_c_ends_the_run(aml, tmp_path):
    (tmp_path / "code" / "long.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    command = [
        sys.executable,
        "-c",
        "from amlsdk.cli import main; main()",
        "-w",
        str(tmp_path / "ws"),
        "submit",
        "long.py",
    ]
    process = subprocess.Popen(
        command, cwd=tmp_path / "code", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.stdout.readline().strip() != "up":
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert [run["status"] for run in json.loads(aml("run", "list", "--json"))] == ["Canceled"]


def test_a_detached_run_goes_on(aml):
    run_id = aml("submit", "--detach", "train.py").strip()
    lines = aml("run", "logs", "--follow", run_id)
    assert lines == "hello\n"
