"""The target `local`, and the tree of processes below a script."""

import platform
import subprocess
import sys
import time

import pytest

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.execution.processtree import marked
from amlsdk.execution.targets.local import LocalTarget
from amlsdk.records.jobs import JobSpec
from amlsdk.testing.target_case import TargetTestCase


class TestLocalTarget(TargetTestCase):
    def make_target(self):
        return LocalTarget()

    def test_other_children_of_the_process_are_left_alone(self, folder):
        """What ran before the script was started is none of the script's, also when all of that is ended."""
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        try:
            assert self.run(self.work(folder, "")).left == ()
            assert other.poll() is None
        finally:
            other.kill()
            other.wait()

    def test_a_chain_of_processes_that_replace_each_other_is_ended(self, folder):
        """A process that forks and ends, over and over, can't slip away between two looks."""
        script = (
            "import os, time\n"
            "if os.fork() == 0:\n"
            "    os.setsid()\n"
            "    for _ in range(100_000):\n"
            "        if os.fork():\n"
            "            os._exit(0)\n"
            "        time.sleep(0.002)\n"
        )
        work = self.work(folder, script)
        self.run(work)
        assert list(marked(work.run_id)) == []
        # The system's word on children says nothing where this process has others.
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        try:
            self.run(work)
            assert list(marked(work.run_id)) == []
        finally:
            other.kill()
            other.wait()

    def test_the_script_dies_with_its_supervisor(self, folder):
        """A process that is killed takes the script that it started with it."""
        work = self.work(folder, "import pathlib, time; pathlib.Path('outputs/ready').touch(); time.sleep(600)")
        starter = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(folder), str(work.output), work.run_id],
        )
        self.until(folder / "outputs" / "ready")
        assert len(list(marked(work.run_id))) == 1
        starter.kill()
        starter.wait()
        deadline = time.monotonic() + 10
        while list(marked(work.run_id)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert list(marked(work.run_id)) == []

    def test_what_can_not_be_started_says_why(self, folder):
        work = self.work(folder, "")
        (folder / "script.py").unlink()
        (folder / "outputs").rmdir()
        folder.rmdir()
        with pytest.raises(Unavailable, match=r"'script.py' can't be started in .*No such file"):
            LocalTarget().start(work)

    def test_another_python_is_refused(self):
        here = platform.python_version()
        LocalTarget().check(JobSpec(script="a.py", snapshot="", python=here))
        LocalTarget().check(JobSpec(script="a.py", snapshot="", python=here.rpartition(".")[0]))
        for other in ("2.7", f"{here}1"):
            with pytest.raises(InvalidArgument, match=f"has Python {here} and no other"):
                LocalTarget().check(JobSpec(script="a.py", snapshot="", python=other))


STARTER = """
import os, pathlib, sys, time
from amlsdk.execution.targets.base import Work
from amlsdk.execution.targets.local import LocalTarget
from amlsdk.records.jobs import JobSpec
folder, output, run_id = sys.argv[1:]
environment = {**os.environ, "AMLSDK_RUN_ID": run_id}
job = JobSpec(script="script.py", snapshot="")
LocalTarget().start(Work(
    run_id=run_id, job=job, folder=pathlib.Path(folder), environment=environment, output=pathlib.Path(output)))
time.sleep(600)
"""
