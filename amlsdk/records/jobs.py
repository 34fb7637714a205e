"""Submitted work: what to execute, who executes it, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

__all__ = [
    "JobSpec",
    "LeaseRecord",
    "OutputPosition",
    "ProcessIdentity",
    "input_variable",
]


@attrs.frozen(kw_only=True)
class ProcessIdentity:
    """A process that can't be taken for a later one with its number.

    Args:
        host: Name of the machine.
        boot_id: Of the machine's present boot.
        pid: Process id.
        started: When the process was started, in ticks or seconds of its system; only ever compared.
    """

    host: str
    boot_id: str
    pid: int
    started: str


@attrs.frozen(kw_only=True)
class JobSpec:
    """What a submitted run is to execute; `resubmit` needs nothing else.

    Args:
        script: Path in the snapshot, with `/`.
        arguments: Of the script.
        target: Name of the execution target.
        snapshot: Digest of the FileSet that holds the script.
        environment_variables: Set for the script, over those of the target.
        inputs: FileSet digests by name; each arrives as a folder named in an environment variable.
        input_files: By name of an input that is a single file, its path in the FileSet; that arrives as this file.
        timeout_s: The run is cancelled as Failed after so many seconds of running; None means never.
        python: Version that the target is to have, such as `3.11`; None takes the one it has.
        secrets: Names of secrets by the environment variable that each is given in.
        host: Name of the only machine that may execute it: where a service keeps runs of `local`, that of whoever
            submitted it. None means any.
    """

    script: str
    snapshot: str
    arguments: tuple[str, ...] = ()
    target: str = "local"
    environment_variables: Mapping[str, str] = attrs.field(factory=dict)
    inputs: Mapping[str, str] = attrs.field(factory=dict)
    input_files: Mapping[str, str] = attrs.field(factory=dict)
    timeout_s: float | None = None
    python: str | None = None
    secrets: Mapping[str, str] = attrs.field(factory=dict)
    host: str | None = None


@attrs.frozen(kw_only=True)
class LeaseRecord:
    """The answer to a heartbeat.

    Args:
        cancel_requested: Somebody asked to cancel.
        lease_s: The claim is lost after so many seconds without the next.
    """

    cancel_requested: bool
    lease_s: float


@attrs.frozen(kw_only=True)
class OutputPosition:
    """How many bytes of a run's output are kept.

    Args:
        offset: The next append begins there.
    """

    offset: int


def input_variable(name: str) -> str:
    """Name of the environment variable that holds the path of an input."""
    letters = (letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
    return "AMLSDK_INPUT_" + "".join(letters).upper()
