"""The quickstart tells its whole story, and can be told again in the same workspace."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

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


def test_a_second_time_counts_versions_up_and_says_that_the_content_is_the_same(tmp_path):
    first, second = tell(tmp_path), tell(tmp_path)
    assert "version 1" in first
    assert "same content" not in first
    assert "version 2, skops, same content as version 1" in second
    for told in (first, second):
        assert "depth 2: accuracy" in told
        assert "params.depth" in told
        assert "Where it comes from" in told
    assert (tmp_path / "workspace").is_dir()


def test_the_commands_that_it_suggests_work_as_they_are_printed(tmp_path):
    told = tell(tmp_path)
    suggested = re.findall(r"^    aml (.*)$", told, re.MULTILINE)
    assert len(suggested) > 5
    located = {**environment(), "AMLSDK_WORKSPACE": str(tmp_path / "workspace")}
    for line in suggested:
        # Those that name a folder are meant from the clone.
        done = subprocess.run(
            [*AML, *shlex.split(line)],
            cwd=QUICKSTART.parents[1],
            env=located,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"aml {line}\n{done.stdout}{done.stderr}"
        assert done.stdout
