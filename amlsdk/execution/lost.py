"""Runs of a service whose supervisor on this machine is gone: only here can anybody tell, and save what they wrote."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from amlsdk.errors import Conflict, NotFound
from amlsdk.execution.collecting import collect_outputs
from amlsdk.execution.delivering import Delivery
from amlsdk.execution.handover import Handover, now
from amlsdk.execution.processtree import marked
from amlsdk.filesets.removing import remove_tree
from amlsdk.journal.locks import take
from amlsdk.journal.writer import JournalWriter
from amlsdk.operations.jobs import SetRunStatus
from amlsdk.operations.runs import GetRun
from amlsdk.places import Place
from amlsdk.processes import is_gone
from amlsdk.records.ids import is_id
from amlsdk.records.jobs import ProcessIdentity
from amlsdk.records.runs import ENDED, RunRecord, RunStatus
from amlsdk.service import Service
from amlsdk.storage.blobs.through_service import ServiceBlobs

__all__ = ["end_lost"]

_LOGGER = logging.getLogger("amlsdk")


def end_lost(service: Service, place: Place) -> list[RunRecord]:
    """End the submitted runs whose supervisor on this machine is gone, with all that they had written by then.

    A folder does so itself, whenever it is looked at.

    Returns:
        The runs that were ended, as they are now.

    Raises:
        AmlError: The service can't be asked; what was not ended is found again.
    """
    if not place.spool.shipped or not place.spool.runs.is_dir():
        return []
    ended = []
    with _alone(place.spool.runs) as is_alone:
        # What has come to its end on this machine has no working folder, or one of files that nothing keeps.
        left = [folder for folder in place.spool.runs.iterdir() if is_id(folder.name) and (folder / "work").is_dir()]
        for folder in sorted(left) if is_alone else ():
            with contextlib.suppress(NotFound, Conflict):
                run = service.send(GetRun(run_id=folder.name))
                if run.owner is not None and is_gone(run.owner) and _is_open(run, run.owner):
                    ended.append(_end(service, place, run, run.owner))
    return ended


@contextlib.contextmanager
def _alone(runs: Path) -> Iterator[bool]:
    """Say whether nobody else on this machine does the same, and keep others from it meanwhile."""
    descriptor = os.open(runs / "lost.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield take(descriptor)
    finally:
        os.close(descriptor)


def _is_open(run: RunRecord, owner: ProcessIdentity) -> bool:
    # A service on this machine has found the same, but not what the run left here.
    return run.status not in ENDED or run.error == _reason(owner)


def _reason(owner: ProcessIdentity) -> str:
    return f"its supervisor (process {owner.pid} on {owner.host}) is gone"


def _end(service: Service, place: Place, run: RunRecord, owner: ProcessIdentity) -> RunRecord:
    for process in marked(run.id):
        with contextlib.suppress(psutil.Error):
            process.kill()
    _keep(service, place, run, place.spool.runs / run.id)
    reason = _reason(owner)
    _LOGGER.warning("run %s: %s", run.id, reason)
    if run.status in ENDED:
        return run
    request = SetRunStatus(run_id=run.id, supervisor=owner, status=RunStatus.FAILED, at=now(), reason=reason)
    return service.send(request)


def _keep(service: Service, place: Place, run: RunRecord, folder: Path) -> None:
    spool = place.spool
    assert run.job is not None  # noqa: S101  # only submitted runs have a folder here
    handover = Handover(
        run_id=run.id,
        name=run.name,
        job=run.job,
        location=place.location,
        runs=spool.runs,
        journals=spool.journals,
        shipped=True,
    )
    # A service that is away ends this here, and all of it is done again at the next look.
    try:
        with contextlib.closing(JournalWriter(spool.journals, run.id)) as journal:
            unkept = collect_outputs(folder / "work", ServiceBlobs(service), journal)
        delivery = Delivery(handover, service)
        while not delivery.send():
            pass
    except (OSError, NotFound, Conflict) as error:
        unkept = [str(error)]
    # Not to be looked at again.
    left = folder / "left"
    (folder / "work").rename(left)
    if unkept:
        _LOGGER.warning("run %s: what could not be kept of it stays in %s: %s", run.id, left, "; ".join(unkept))
    else:
        remove_tree(left)
