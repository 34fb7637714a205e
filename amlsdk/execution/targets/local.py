"""The target `local`: this interpreter, on this machine."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.execution.processtree import ProcessTree, children_of_this_process
from amlsdk.execution.targets.base import Execution, ExitStatus, Target, Work
from amlsdk.processes import identity_of
from amlsdk.records.jobs import JobSpec, ProcessIdentity

__all__ = ["LocalTarget"]

_TIED = os.path.join(os.path.dirname(__file__), "tied.py")  # noqa: PTH118, PTH120  # a text is what is needed
_LINGER_S = 1.0
_LEFT_GRACE_S = 1.0


class LocalTarget(Target):
    """Runs a script with the interpreter that submitted it, in a session of its own.

    Processes that the starting process has already are left alone; all that it has more when the script ends is
    taken for the script's, so one process drives one script at a time.
    """

    def check(self, job: JobSpec) -> None:
        """See whether the job wants this interpreter's Python."""
        here = platform.python_version()
        if job.python is not None and not f"{here}.".startswith(f"{job.python}."):
            raise InvalidArgument(
                f"python={job.python!r}: the target 'local' has Python {here} and no other; leave python out"
            )

    def start(self, work: Work) -> Execution:
        """Begin the script; output goes straight to where it is wanted, without a detour by this process."""
        spared = children_of_this_process()
        command = [sys.executable, work.job.script, *work.job.arguments]
        try:
            with work.output.open("ab") as output:
                process = subprocess.Popen(
                    [*_tie(), *command],
                    cwd=work.folder,
                    env=dict(work.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        except (OSError, ValueError) as error:
            raise Unavailable(f"{work.job.script!r} can't be started in {str(work.folder)!r}: {error}") from error
        return LocalExecution(ProcessTree(process, work.run_id, spared))


class LocalExecution(Execution):
    """A process, and all that descends from it."""

    def __init__(self, tree: ProcessTree) -> None:
        self._tree = tree
        self._process = tree.script
        self._identity = identity_of(tree.script.pid)

    def poll(self, timeout_s: float) -> ExitStatus | None:
        """Return how the script ended, once what it left running has been ended too."""
        self._tree.reap()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        code = self._process.returncode
        if code is None:
            return None
        left = self._tree.end(linger_s=_LINGER_S, grace_s=_LEFT_GRACE_S)
        return ExitStatus(code=None if code < 0 else code, signal=-code if code < 0 else None, left=left)

    def stop(self, *, grace_s: float) -> None:
        """End the whole tree."""
        self._tree.end(grace_s=grace_s)

    def identities(self) -> tuple[ProcessIdentity, ...]:
        """Return the script's own process, which leads its session."""
        return (self._identity,)


def _tie() -> list[str]:
    # Only Linux can tie the life of a process to that of another.
    return [sys.executable, "-I", "-S", _TIED, str(os.getpid())] if sys.platform == "linux" else []
