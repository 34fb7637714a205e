"""From a claimed run to a script that runs, or to the reason why it does not."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from amlsdk import plugins
from amlsdk.errors import AmlError
from amlsdk.execution.handover import Handover, now
from amlsdk.execution.preparing import prepare
from amlsdk.execution.printing import Printing, printing_in
from amlsdk.execution.targets.base import Execution, Target, Work
from amlsdk.filesets.blobs import Blobs
from amlsdk.filesets.listing import load_record
from amlsdk.filesets.removing import remove_tree
from amlsdk.processes.detaching import let_go_of_streams
from amlsdk.records.filesets import FileSetRecord
from amlsdk.records.jobs import JobSpec

__all__ = ["NotStarted", "Started", "enter", "start"]

_LOGGER = logging.getLogger("amlsdk")


@attrs.frozen(kw_only=True)
class Started:
    """A script that runs.

    Args:
        at: When it was started.
        at_s: The same, by the monotonic clock.
        begun_ns: When its folder began to be written, by the system's clock.
        since_ns: When that was done: what changed later, the script changed.
        tree: The snapshot.
        work: What it works on.
        execution: The script.
        printing: Where it prints to.
    """

    at: dt.datetime
    at_s: float
    begun_ns: int
    since_ns: int
    tree: FileSetRecord
    work: Work
    execution: Execution
    printing: Printing


@attrs.frozen
class NotStarted:
    """A script that was not started.

    Args:
        reason: Why; None where somebody asked for that.
    """

    reason: str | None = None


def enter(folder: Path) -> None:
    """Make a run's own folder, and send what this process logs to a file there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        # Preparing meets it again, and ends the run with it.
        _LOGGER.warning("%s can't be made: %s", folder, error)
    let_go_of_streams(os.fspath(folder / "supervisor.log"))


def start(
    handover: Handover, store: Blobs, *, secrets: Mapping[str, str], is_unwanted: Callable[[], bool]
) -> Started | NotStarted:
    """Prepare a run's folder and begin its script.

    Args:
        handover: The run.
        store: Where its snapshot is.
        secrets: Values that it is given, by environment variable.
        is_unwanted: Asked between preparing and starting.
    """
    printing: Printing | None = None
    try:
        target = _target(handover.job)
        tree = load_record(handover.job.snapshot, store)
        # The token, too: whoever may read what a script prints could do with it what the script may.
        hidden = [*secrets.values(), *filter(None, [handover.credential.text])]
        printing = printing_in(handover.folder, hidden)
        begun_ns = time.time_ns()
        work = prepare(handover, tree, store, secrets=secrets, output=printing.path)
        if is_unwanted():
            _tidy(handover.folder, printing)
            return NotStarted()
        since_ns = time.time_ns()
        execution = target.start(work)
    except (AmlError, OSError) as error:
        _LOGGER.exception("run %s can't be started", handover.run_id)
        # Nothing of the run's own is lost: the script has not begun.
        _tidy(handover.folder, printing)
        return NotStarted(f"it could not be started: {error}")
    started = Started(
        at=now(),
        at_s=time.monotonic(),
        begun_ns=begun_ns,
        since_ns=since_ns,
        tree=tree,
        work=work,
        execution=execution,
        printing=printing,
    )
    _note_processes(handover.folder, execution)
    return started


def _target(job: JobSpec) -> Target:
    known = plugins.names("amlsdk.targets")
    if job.target in known:
        adapter: Target = plugins.load("amlsdk.targets", job.target)()
        return adapter
    # The name of an agent, by which this process was begun: it could not be asked when the run was submitted.
    here: Target = plugins.load("amlsdk.targets", "local")()
    here.check(job)
    return here


def _tidy(folder: Path, printing: Printing | None) -> None:
    if printing is not None:
        printing.close()
    remove_tree(folder / "work")
    remove_tree(folder / "inputs")


def _note_processes(folder: Path, execution: Execution) -> None:
    identities = [attrs.asdict(identity) for identity in execution.identities()]
    try:
        (folder / "processes.json").write_text(json.dumps(identities), encoding="utf-8")
    except OSError as error:
        # Should this supervisor be lost, the mark in their environment finds them, too.
        _LOGGER.warning("the processes of the run can't be noted: %s", error)
