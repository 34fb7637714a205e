"""The quickstart tells its whole story, and can be told again in the same workspace."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.py"
AML = [sys.executable, "-c", "from amlsdk.cli import main; main()"]


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("AMLSDK_")}


def tell(folder):
    done = subprocess.run(
        [sys.executable, "-W", "error", QUICKSTART],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def aml(folder, line):
    """Run a command from the clone, which those that name a folder are meant from."""
    return subprocess.run(
        [*AML, *shlex.split(line)],
        cwd=QUICKSTART.parents[1],
        env={**environment(), "AMLSDK_WORKSPACE": str(folder / "workspace")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


# One workspace for all, for its images take the longest: so these tests stay on one worker, in this order.
pytestmark = pytest.mark.xdist_group("quickstart")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart")
    yield folder
    aml(folder, "deployment stop wine")


@pytest.fixture(scope="module")
def first(folder):
    return tell(folder)


def test_it_tells_the_way_from_a_script_to_a_prediction_and_back(first, folder):
    assert "version 1" in first
    assert "same content" not in first
    for part in ("depth 2: accuracy", "params.depth", "/score>", "predicted class", "data     wine"):
        assert part in first
    assert (folder / "workspace").is_dir()


def test_a_second_time_counts_versions_up_and_updates_the_deployment(first, folder):
    second = tell(folder)
    assert "version 2, skops, same content as version 1" in second
    [address] = set(re.findall(r"http://127.0.0.1:\d+/score", first + second))
    assert address


def test_the_commands_that_it_suggests_work_as_they_are_printed(first, folder):
    suggested = re.findall(r"^    aml (.*)$", first, re.MULTILINE)
    assert len(suggested) > 5
    for line in suggested:
        done = aml(folder, line)
        assert done.returncode == 0, f"aml {line}\n{done.stdout}{done.stderr}"
        assert done.stdout, f"aml {line}"
