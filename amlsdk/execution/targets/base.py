"""What every execution target promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import attrs

from amlsdk.records.jobs import JobSpec, ProcessIdentity

__all__ = ["Execution", "ExitStatus", "Target", "Work"]


@attrs.frozen(kw_only=True)
class ExitStatus:
    """How a script ended.

    Args:
        code: Its exit code; None where a signal ended it.
        signal: The number of that signal, or None.
        left: What was still running when the script itself had ended, and was ended too; a line each.
    """

    code: int | None
    signal: int | None = None
    left: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Work:
    """A run that is ready to execute.

    Args:
        run_id: Of the run.
        job: What was submitted.
        folder: The working folder on this machine: a copy of the snapshot with an empty `outputs`.
        environment: The whole environment of the script.
        output: The file or named pipe that takes standard output and standard error, as raw bytes, as they come.
    """

    run_id: str
    job: JobSpec
    folder: Path
    environment: Mapping[str, str] = attrs.field(repr=False)
    output: Path


class Execution(ABC):
    """A script that executes on a target."""

    @abstractmethod
    def poll(self, timeout_s: float) -> ExitStatus | None:
        """Return how the script ended; None where it still runs after so many seconds.

        Once it has ended, nothing that it started runs any more.
        """

    @abstractmethod
    def stop(self, *, grace_s: float) -> None:
        """End the script and all that it started: ask, and after `grace_s` seconds force. Returns when none runs."""

    @abstractmethod
    def identities(self) -> tuple[ProcessIdentity, ...]:
        """Return the processes of this machine that have to end with the run, should its supervisor be lost."""


class Target(ABC):
    """A place where runs execute.

    The contract: `check` finds what can't work before anything is sent, in the client; `start` returns as soon as
    the script was begun, with its working folder as the current one, and raises `Unavailable` or `OperationFailed`
    with the reason where it can't be. What the script writes below `outputs` is in `work.folder` when `poll` has
    said how it ended. A target keeps no state of its own between runs.
    """

    @abstractmethod
    def check(self, job: JobSpec) -> None:
        """See whether a job can be meant for this target.

        Raises:
            InvalidArgument: It can't; the message says what to change.
        """

    @abstractmethod
    def start(self, work: Work) -> Execution:
        """Begin a script."""
