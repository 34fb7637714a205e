"""Which run the calling code belongs to."""

from __future__ import annotations

import atexit
import contextvars
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from amlsdk.errors import AmlError
from amlsdk.resources.background import background

if TYPE_CHECKING:
    from amlsdk.resources.client import Client
    from amlsdk.resources.run import Run

__all__ = ["active_runs", "current_run", "enter", "leave", "submitted_run_id"]

_LOGGER = logging.getLogger("amlsdk")
_PATIENCE_S = 30.0
_CURRENT: contextvars.ContextVar[Run | None] = contextvars.ContextVar("amlsdk_current_run", default=None)


class _Process:
    """What this process began and must end: the one place where a process's runs are known."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.pid = os.getpid()
        self.active: list[Run] = []
        self.own: Run | None = None
        self.watching = False

    def fresh(self) -> _Process:
        """Forget runs of the parent, after a fork."""
        if self.pid != os.getpid():
            self.__init__()  # type: ignore[misc]
        return self

    def watch(self) -> None:
        if not self.watching:
            self.watching = True
            atexit.register(_end_all)


_PROCESS = _Process()


def submitted_run_id() -> str | None:
    """Id of the run whose script this is, or None outside submitted runs."""
    return os.environ.get("AMLSDK_RUN_ID")


def enter(run: Run) -> None:
    """Make a run of this process the current one."""
    process = _PROCESS.fresh()
    with process.lock:
        process.watch()
        process.active.append(run)
    _CURRENT.set(run)


def leave(run: Run) -> None:
    """Let the run that was current before be so again."""
    process = _PROCESS.fresh()
    with process.lock:
        process.active = [other for other in process.active if other is not run]
        process.own = None if process.own is run else process.own
        if _CURRENT.get() is run:
            _CURRENT.set(process.active[-1] if process.active else None)


def active_runs(client: Client) -> list[Run]:
    """Return the runs that this process began through a connection and has not ended, the innermost first."""
    process = _PROCESS.fresh()
    with process.lock:
        return [run for run in reversed(process.active) if run._client is client]  # noqa: SLF001


def current_run(*, create: bool) -> Run | None:
    """Return the current run; see `Run.current`."""
    run = _CURRENT.get()
    if run is not None:
        return run
    process = _PROCESS.fresh()
    with process.lock:
        if process.active:
            # Begun in another context: a thread, or a callback of a framework, belongs to it all the same.
            return process.active[-1]
        if process.own is None and submitted_run_id() is not None:
            process.own = _submitted_run(str(submitted_run_id()))
            process.watch()
        if process.own is None and create:
            process.own = _run_of_process()
        return process.own


def _submitted_run(run_id: str) -> Run:
    from amlsdk.resources.client import Address, Client
    from amlsdk.resources.config import Config
    from amlsdk.resources.run import Run
    from amlsdk.service import Spool

    address = Address(location=os.environ["AMLSDK_SERVICE_URL"], token=os.environ.get("AMLSDK_TOKEN"))
    journals = Path(os.environ["AMLSDK_JOURNALS"])
    # The supervisor ships what lies in the journals' folder, so this process never does.
    spool = Spool(journals=journals, runs=journals.parent / "runs", shipped=False, blobs=None)
    return Run(Client(address, Config(), spool=spool), run_id=run_id)


def _run_of_process() -> Run:
    from amlsdk.resources.connecting import connect

    name = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] else ""
    workspace = connect()
    project = workspace.projects.get_or_create("default")
    experiment = project.experiments.get_or_create(_as_name(name) or "interactive")
    return experiment.start_run()


def _as_name(text: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text).strip("-")[:100]


def _end_all() -> None:
    """At exit: end what this process began; an uncaught exception fails it."""
    process = _PROCESS
    if process.pid != os.getpid():
        return
    # The interpreter leaves an uncaught exception here before it prints it; a notebook does so for every cell
    # that failed, which says nothing of the end.
    error = getattr(sys, "last_value", None) if "IPython" not in sys.modules else None
    for run in [*reversed(process.active), *([process.own] if process.own is not None else [])]:
        try:
            run._at_exit(error)  # noqa: SLF001
        except AmlError as problem:
            # The other runs are to end all the same, and nobody is left to catch this.
            _LOGGER.warning("run %s: %s", run.id, problem)
    background().finish(_PATIENCE_S)
