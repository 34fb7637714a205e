"""Runs that this process begins and ends."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from amlsdk.errors import AmlError, Conflict, Unavailable
from amlsdk.machine.system_metrics import SystemMetrics
from amlsdk.operations import Request
from amlsdk.operations.runs import CreateRun, ResumeRun
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id
from amlsdk.records.names import check_name
from amlsdk.records.runs import RunRecord
from amlsdk.resources import current
from amlsdk.resources.background import Task, background
from amlsdk.resources.capture.context import ContextCapture
from amlsdk.resources.capture.source import source_of_process
from amlsdk.resources.client import Client
from amlsdk.resources.run import Run

__all__ = ["Interactive", "error_text", "resume_run", "start_run"]

_LOGGER = logging.getLogger("amlsdk")
_ERROR_BYTES = 4096
_CELLS_S = 5.0
_STEP_S = 0.25


def start_run(
    client: Client,
    experiment_id: str,
    *,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    parent_id: str | None = None,
) -> Run:
    """Record a run of this process and make it the current one."""
    if name is not None:
        check_name(name, what="run")
    request = CreateRun(
        id=new_id(),
        experiment_id=experiment_id,
        name=name,
        parent_id=parent_id,
        tags=dict(tags or {}),
        owner=this_process(),
    )
    return _begin(Run(client, _send(client, request.id, request)))


def resume_run(client: Client, run_id: str, *, tags: Mapping[str, str] | None = None) -> Run:
    """Go on with a run that has no living owner."""
    if any(run.id == run_id for run in current.active_runs(client)):
        raise Conflict(f"run {run_id} is still going on in this process; end it before it is resumed")
    record = _send(client, run_id, ResumeRun(run_id=run_id, owner=this_process()))
    client.log_of(run_id).count_on({name: summary.last_step for name, summary in record.metrics.items()})
    run = _begin(Run(client, record))
    run.set_tags(tags or {})
    return run


def _send(client: Client, run_id: str, request: Request[RunRecord]) -> RunRecord:
    """Ask for a run of this process; whatever happens to the two of them, the service is told of it later."""
    log = client.log_of(run_id)
    log.begin()
    try:
        record = client.send(request)
    except BaseException as error:
        log.not_begun(perhaps=isinstance(error, Unavailable) or not isinstance(error, AmlError))
        raise
    log.alive()
    return record


def _begin(run: Run) -> Run:
    run._interactive = Interactive(run)  # noqa: SLF001  # a run's two halves
    current.enter(run)
    return run


class Interactive:
    """The end of a run that this process began, and what is noticed meanwhile."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._ended = False
        self._flushed = False
        self._client = run._client  # noqa: SLF001  # a run's two halves
        self._log = self._client.log_of(run.id)
        # Both the end and the capture write to it, beside each other; whichever is later closes it.
        self._journal = self._log.writer
        self._needed_by = 2
        config = self._client.config
        self._context = ContextCapture(Path.cwd()) if config.capture_context else None
        self._log.do(self._capture)
        self._metrics: SystemMetrics | None = None
        self._sampling: Task | None = None
        if config.system_metrics_s is not None:
            self._metrics = SystemMetrics(run.log_metrics, interval_s=config.system_metrics_s)
            # Runs that end sooner than this never have a thread for it.
            self._sampling = background().do(self._metrics.start, after_s=min(1.0, config.system_metrics_s / 2))

    def _capture(self) -> None:
        try:
            if self._context is not None:
                self._journal.context(self._context.gather())
            if not _in_notebook():
                self._keep_source()
        finally:
            if self._is_last():
                self._log.finish(self._journal)

    def _is_last(self) -> bool:
        with self._lock:
            self._needed_by -= 1
            return self._needed_by == 0

    def _keep_source(self, *, once: bool = False) -> None:
        if self._client.config.capture_source:
            keep = self._run._keep_script  # noqa: SLF001  # a run's two halves
            for file in source_of_process():
                keep(f"source/{file.name}", file.content, writer=self._journal, once=once)

    def end(self, status: str, error: str | None) -> None:
        """End the run, once; in a forked child this only flushes what the child logged."""
        if os.getpid() != self._pid:
            self._log.save()
            self._log.try_to_deliver()
            return
        with self._lock:
            first, self._ended = not self._ended, True
        if first:
            self._claim(status, error)
            # The kernel has what was logged; two that wait for the disk at once take far longer than one by one.
            self._log.settle()
        # Raises where the disk refuses, so that the end may be asked for again.
        self._log.save()
        with self._lock:
            first, self._flushed = not self._flushed, True
        if first:
            self._let_go()
        self._log.try_to_deliver()
        # What is known of the run was read before its end.
        self._run._known = None  # noqa: SLF001

    def _let_go(self) -> None:
        last = self._log.detach()
        if last is not None and last is not self._journal:
            # The connection was closed and used again meanwhile.
            self._log.do(lambda: self._log.finish(last))
        if self._is_last():
            self._log.do(lambda: self._log.finish(self._journal))

    def _claim(self, status: str, error: str | None) -> None:
        current.leave(self._run)
        self._stop_sampling()
        if _in_notebook():
            self._keep_cells()
        self._log.writer.status(status, error=error)
        self._log.over()

    def _keep_cells(self) -> None:
        """Keep all cells that were executed, which at the beginning nobody knew."""
        # The end of a run does not wait for long for a service that is away.
        deadline = time.monotonic() + _CELLS_S
        while (error := self._try_to_keep_source()) is not None:
            if not isinstance(error, Unavailable) or time.monotonic() >= deadline:
                _LOGGER.warning("run %s: its cells were not kept: %s", self._run.id, error)
                return
            time.sleep(_STEP_S)

    def _try_to_keep_source(self) -> AmlError | None:
        try:
            self._keep_source(once=True)
        except AmlError as error:
            return error
        return None

    def _stop_sampling(self) -> None:
        if self._sampling is not None:
            self._sampling.cancel()
        if self._metrics is not None:
            self._metrics.stop()

    def leave(self, error: BaseException | None) -> None:
        """End the run as the block was left."""
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            self.end("Completed", None)
        elif isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            self.end("Canceled", f"interrupted: {type(error).__name__}")
        else:
            self.end("Failed", error_text(error))


def error_text(error: BaseException) -> str:
    """Return the end of an exception's traceback, at most 4 KiB."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    text = "".join(lines).rstrip()
    cut = text.encode(errors="replace")[-_ERROR_BYTES:].decode(errors="ignore")
    return cut if len(cut) >= len(text) else "..." + cut


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None
