"""Gathering everything that surrounds a run."""

import json
import subprocess
import sys

from amlsdk.resources.capture import context, git, packages
from amlsdk.resources.capture.context import ContextCapture


def captured(folder):
    return ContextCapture(folder).gather()


def test_all_topics_are_there_and_are_json(tmp_path):
    found = captured(tmp_path)
    assert set(found) == {"command", "python", "packages", "git", "machine"}
    assert found["git"] is None
    json.dumps(found)


def test_the_repository_is_looked_at_again_only_after_two_seconds(tmp_path, monkeypatch):
    looks = []
    monkeypatch.setattr(git, "git_state", lambda folder: looks.append(folder) or {"commit": str(len(looks))})
    now = [1000.0]
    monkeypatch.setattr(context.time, "monotonic", lambda: now[0])
    look = context._Look(str(tmp_path))
    assert look.state() == {"commit": "1"}
    now[0] += 1.9
    assert look.state() == {"commit": "1"}
    now[0] += 0.2
    assert look.state() == {"commit": "2"}


def test_two_captures_do_not_share_what_they_give(tmp_path):
    first = captured(tmp_path)
    first["machine"].clear()
    first["packages"].clear()
    second = captured(tmp_path)
    assert second["machine"]
    assert second["packages"]


def test_the_command_is_the_one_of_when_the_run_began(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--depth", "4"])
    capture = ContextCapture(tmp_path)
    monkeypatch.setattr(sys, "argv", ["other.py"])
    assert capture.gather()["command"]["argv"][-2:] == ["--depth", "4"]


def test_a_topic_that_fails_is_missing_and_the_others_are_there(tmp_path, monkeypatch):
    def fail():
        raise RuntimeError("no")

    monkeypatch.setattr(packages, "installed_packages", fail)
    assert set(captured(tmp_path)) == {"command", "python", "git", "machine"}


def test_the_module_loads_nothing_heavy():
    code = (
        # Python 3.10's own `platform` loads subprocess.
        "import sys, platform\nbefore = set(sys.modules)\n"
        "import amlsdk.resources.capture.context, amlsdk.machine.system_metrics\n"
        "heavy = {'psutil', 'numpy', 'pandas', 'PIL', 'matplotlib', 'pynvml', 'subprocess', 'importlib.metadata'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
