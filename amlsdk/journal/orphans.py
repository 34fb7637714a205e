"""Runs whose process is gone: only its own machine can tell, so that whoever sends from there ends them."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
from pathlib import Path

from amlsdk.errors import Conflict, NotFound
from amlsdk.journal.begun import Begun, forget
from amlsdk.operations.jobs import SetRunStatus
from amlsdk.operations.runs import GetRun
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.processes import is_gone
from amlsdk.records.runs import ENDED, RunRecord, RunStatus
from amlsdk.service import Service

__all__ = ["end_orphan"]

_LOGGER = logging.getLogger("amlsdk")


def end_orphan(service: Service, folder: Path, begun: Begun, *, heard_s: float | None = None) -> None:
    """End a run truthfully, where its process is gone and has not done so.

    Args:
        service: Where the run is.
        folder: Of the notes.
        begun: What is noted of it; forgotten where there is no more to do.
        heard_s: When it last wrote something, in seconds since 1970 UTC.

    Raises:
        AmlError: The service can't be reached, or refuses.
    """
    if begun.ended:
        forget(folder, begun)
        return
    if not begun.given_up and is_gone(begun.owner) is not True:
        return
    run = _look(service, begun.run_id)
    # One that was gone on with elsewhere is somebody else's.
    if run is not None and run.status not in ENDED and run.owner == begun.owner:
        with contextlib.suppress(NotFound, Conflict):
            service.send(_end(begun, heard_s))
            _LOGGER.info("run %s was ended, as its process is gone", begun.run_id)
    forget(folder, begun)


def _look(service: Service, run_id: str) -> RunRecord | None:
    try:
        return service.send(GetRun(run_id=run_id))
    except NotFound:
        # Whoever may no longer see the workspace is told the same; that may pass.
        service.send(GetWorkspace())
        return None


def _end(begun: Begun, heard_s: float | None) -> SetRunStatus:
    now = dt.datetime.now(dt.timezone.utc)
    owner = begun.owner
    if begun.given_up:
        status, reason = RunStatus.CANCELED, "the service did not answer when it was begun"
    else:
        status = RunStatus.FAILED
        reason = f"the process {owner.pid} on {owner.host} ended without ending the run"
    at = now if heard_s is None else min(now, dt.datetime.fromtimestamp(heard_s, dt.timezone.utc))
    return SetRunStatus(run_id=begun.run_id, supervisor=owner, status=status, at=at, reason=reason)
