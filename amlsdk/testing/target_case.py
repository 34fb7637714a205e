"""What every execution target must pass."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from amlsdk.execution.targets.base import Execution, ExitStatus, Target, Work
from amlsdk.processes import is_gone
from amlsdk.processes.detaching import adopt_orphans
from amlsdk.records.ids import new_id
from amlsdk.records.jobs import JobSpec

__all__ = ["TargetTestCase"]

_TIME_S = 60.0
_DEAF = """
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("outputs/ready").touch()
time.sleep(600)
"""
_POLITE = """
import pathlib, signal, sys, time
def tidy(*_):
    pathlib.Path("outputs/tidied").write_text("yes")
    sys.exit(3)
signal.signal(signal.SIGTERM, tidy)
pathlib.Path("outputs/ready").touch()
time.sleep(600)
"""
_DAEMON = """
import os, pathlib, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    pathlib.Path("outputs/daemon").write_text(str(os.getpid()))
    time.sleep(600)
os.wait()
while not os.path.exists("outputs/daemon") or not os.path.getsize("outputs/daemon"):
    time.sleep(0.01)
"""


class TargetTestCase:
    """Subclass it as `TestMyTarget`, override `make_target`, and pytest runs the contract of `Target`.

    Override `job` where a job of the target needs more than a script.
    """

    def make_target(self) -> Target:
        """Return a target."""
        raise NotImplementedError

    def job(self, *arguments: str) -> JobSpec:
        """Return a job that runs `script.py`."""
        return JobSpec(script="script.py", snapshot="0" * 64, arguments=arguments)

    @pytest.fixture(autouse=True)
    def _adopting(self) -> Iterator[None]:
        # As a supervisor does.
        adopt_orphans()
        yield
        adopt_orphans(wanted=False)

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A working folder with an empty `outputs`."""
        (tmp_path / "work" / "outputs").mkdir(parents=True)
        return tmp_path / "work"

    def work(self, folder: Path, script: str, *arguments: str, **variables: str) -> Work:
        """Return work that runs a script."""
        (folder / "script.py").write_text(script, encoding="utf-8")
        run_id = new_id()
        environment = {**os.environ, **variables, "AMLSDK_RUN_ID": run_id, "PYTHONUNBUFFERED": "1"}
        return Work(
            run_id=run_id,
            job=self.job(*arguments),
            folder=folder,
            environment=environment,
            output=folder.parent / "output.log",
        )

    def run(self, work: Work) -> ExitStatus:
        """Run to the end."""
        return self.ended(self.make_target().start(work))

    def ended(self, execution: Execution) -> ExitStatus:
        """Wait for the end."""
        deadline = time.monotonic() + _TIME_S
        while time.monotonic() < deadline:
            status = execution.poll(0.2)
            if status is not None:
                return status
        raise AssertionError(f"still running after {_TIME_S:g} s")

    def until(self, path: Path) -> None:
        """Wait for a file."""
        deadline = time.monotonic() + _TIME_S
        while not path.exists():
            assert time.monotonic() < deadline, f"{path} was not made"
            time.sleep(0.01)

    def test_a_plain_job_is_accepted(self) -> None:
        """`check` raises nothing for a job that the target can run."""
        self.make_target().check(self.job())

    def test_arguments_variables_and_folder_arrive(self, folder: Path) -> None:
        """The script sees its arguments as they are, its environment, and its folder as the current one."""
        script = "import os, sys\nprint(sys.argv[1:], os.environ['COLOUR'], sorted(os.listdir()))"
        work = self.work(folder, script, "a b", "$HOME", "", "ä", COLOUR="blue")
        assert self.run(work) == ExitStatus(code=0)
        assert work.output.read_text("utf-8") == "['a b', '$HOME', '', 'ä'] blue ['outputs', 'script.py']\n"

    @pytest.mark.parametrize("code", [0, 1, 77])
    def test_the_exit_code_is_told(self, folder: Path, code: int) -> None:
        """A script's own exit code is not changed on the way."""
        assert self.run(self.work(folder, f"raise SystemExit({code})")) == ExitStatus(code=code)

    def test_the_signal_that_killed_is_told(self, folder: Path) -> None:
        """A script that a signal killed has that signal and no exit code."""
        status = self.run(self.work(folder, "import os; os.kill(os.getpid(), 9)"))
        assert (status.code, status.signal) == (None, 9)

    def test_both_streams_arrive_as_raw_bytes_in_order(self, folder: Path) -> None:
        """Standard output and error share one file, and nothing is decoded."""
        script = "import os\nos.write(1, b'one\\xff\\n')\nos.write(2, b'two\\x00\\n')\nos.write(1, b'three')"
        work = self.work(folder, script)
        self.run(work)
        assert work.output.read_bytes() == b"one\xff\ntwo\x00\nthree"

    def test_there_is_nothing_to_read_from_standard_input(self, folder: Path) -> None:
        """A script that reads its standard input meets the end at once."""
        work = self.work(folder, "import sys; print(repr(sys.stdin.read()))")
        assert self.run(work).code == 0
        assert work.output.read_bytes() == b"''\n"

    def test_outputs_are_there_at_the_end(self, folder: Path) -> None:
        """What the script wrote below outputs is in the working folder when its end is told."""
        self.run(self.work(folder, "open('outputs/a', 'w').write('kept')"))
        assert (folder / "outputs" / "a").read_text() == "kept"

    def test_a_running_script_has_not_ended(self, folder: Path) -> None:
        """`poll` answers None in about the time it was given, and the noted processes live until the end."""
        execution = self.make_target().start(self.work(folder, _POLITE))
        self.until(folder / "outputs" / "ready")
        assert execution.poll(0.05) is None
        identities = execution.identities()
        assert not any(is_gone(identity) for identity in identities)
        execution.stop(grace_s=_TIME_S)
        self.ended(execution)
        assert all(is_gone(identity) for identity in identities)

    def test_stop_asks_first(self, folder: Path) -> None:
        """A script that hears SIGTERM has time to tidy up, and its exit code is told."""
        execution = self.make_target().start(self.work(folder, _POLITE))
        self.until(folder / "outputs" / "ready")
        execution.stop(grace_s=_TIME_S)
        assert self.ended(execution).code == 3
        assert (folder / "outputs" / "tidied").read_text() == "yes"

    def test_stop_forces_in_the_end(self, folder: Path) -> None:
        """A script that ignores SIGTERM is killed when the time of grace is over."""
        execution = self.make_target().start(self.work(folder, _DEAF))
        self.until(folder / "outputs" / "ready")
        execution.stop(grace_s=0.2)
        assert self.ended(execution).signal == 9

    def test_stop_after_the_end_does_nothing(self, folder: Path) -> None:
        """Stopping an ended script is no error and changes nothing."""
        execution = self.make_target().start(self.work(folder, ""))
        status = self.ended(execution)
        execution.stop(grace_s=0)
        assert execution.poll(0) == status

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt what others abandon")
    def test_what_a_script_leaves_behind_is_ended_and_named(self, folder: Path) -> None:
        """A daemon in a session of its own does not outlive the script."""
        status = self.run(self.work(folder, _DAEMON))
        assert status.code == 0
        assert len(status.left) == 1
        daemon = int((folder / "outputs" / "daemon").read_text())
        with pytest.raises(ProcessLookupError):
            os.kill(daemon, 0)
