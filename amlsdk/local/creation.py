"""Runs: recorded when they begin or are submitted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import attrs
import orjson
from sqlalchemy import bindparam, exc, insert, select, update
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.local.filesets import has_file
from amlsdk.local.handling import Local, handles
from amlsdk.local.leases import lease_end, owner_text
from amlsdk.local.lookup import check_id, check_texts, find_fileset, find_run
from amlsdk.local.numbers import number_of
from amlsdk.operations.runs import CreateRun
from amlsdk.records.jobs import JobSpec
from amlsdk.records.names import check_key
from amlsdk.records.runs import RunRecord, RunStatus
from amlsdk.records.secrets import check_secret_name
from amlsdk.service import Principal
from amlsdk.storage.catalogue.runs import SHOWN, record_of, records_of
from amlsdk.storage.catalogue.schema import experiment, param, project, run, run_state, tag
from amlsdk.storage.catalogue.summaries import Summary, refresh
from amlsdk.storage.catalogue.times import now_us

__all__: list[str] = []

# Built once: making a statement takes longer than executing it.
_PROJECT = select(experiment.c.project_id).where(experiment.c.id == bindparam("wanted")).scalar_subquery()
_COUNT = (
    update(project)
    .where(project.c.id == _PROJECT)
    .values(last_run_number=project.c.last_run_number + 1)
    .returning(project.c.id, project.c.last_run_number)
)
_RUN, _STATE, _PARAM, _TAG = insert(run), insert(run_state), insert(param), insert(tag)


@handles(CreateRun)
def create_run(local: Local, principal: Principal, request: CreateRun) -> RunRecord:
    """Record a run, or answer a repeated request with the one it recorded.

    A repeated request is known by its id, experiment, parent, job, owner and name; params and tags may have
    changed since.
    """
    _check(local, request)
    try:
        with local.database.write() as connection:
            return _insert(connection, principal, request, served=local.served)
    except exc.IntegrityError:
        with local.database.read() as connection:
            return _existing(connection, request)


def _check(local: Local, request: CreateRun) -> None:
    check_id(request.id, what="run")
    check_texts(request.tags, what="tag")
    check_texts(request.params, what="param")
    if request.name is not None:
        check_key(request.name, what="run")
    if request.job is not None:
        _check_job(local, request.job, request)


def _check_job(local: Local, job: JobSpec, request: CreateRun) -> None:
    if request.owner is not None:
        raise InvalidArgument("a submitted run is owned by the supervisor that claims it: give a job or an owner")
    if job.timeout_s is not None and not job.timeout_s > 0:
        raise InvalidArgument(f"timeout_s is a number of seconds above 0, not {job.timeout_s}")
    check_key(job.target, what="target")
    for name in job.secrets.values():
        check_secret_name(name)
    if not has_file(local, job.snapshot, job.script):
        raise InvalidArgument(f"the snapshot {job.snapshot} has no script {job.script!r}; name a file of the folder")


def _insert(connection: Connection, principal: Principal, request: CreateRun, *, served: bool) -> RunRecord:
    counted = connection.execute(_COUNT, {"wanted": request.experiment_id}).first()
    if counted is None:
        raise NotFound(f"this workspace has no experiment {request.experiment_id[:80]!r}")
    _check_needs(connection, request)
    values = _values(request, principal, project_id=counted.id, number=counted.last_run_number)
    # From afar nobody can tell that a process is gone: it has to give signs of life.
    values["lease_until"] = lease_end() if served and request.owner else None
    key = connection.execute(_RUN, values).inserted_primary_key
    values["pk"] = key[0] if key else None
    state = {"number": 1, "status": values["status"], "at": values["created_at"], "reason": None}
    connection.execute(_STATE, {"run_pk": values["pk"], **state})
    for statement, texts in ((_PARAM, request.params), (_TAG, request.tags)):
        if texts:
            connection.execute(statement, _texts(values, texts))
    if request.params or request.tags:
        refresh(connection, values["pk"])
    shown = [values[name] for name in SHOWN]
    summary = Summary(params=dict(request.params), tags=dict(request.tags))
    return record_of(shown, summary, states=[tuple(state.values())[1:]])


def _check_needs(connection: Connection, request: CreateRun) -> None:
    if request.parent_id is not None:
        find_run(connection, request.parent_id)
    if request.job is not None:
        for digest in {request.job.snapshot, *request.job.inputs.values()}:
            find_fileset(connection, digest)


def _values(request: CreateRun, principal: Principal, *, project_id: str, number: int) -> dict[str, Any]:
    now, job = now_us(), request.job
    return {
        "id": request.id,
        "number": number,
        "name": request.name or _default_name(request, number),
        "project_id": project_id,
        "experiment_id": request.experiment_id,
        "parent_id": request.parent_id,
        "kind": "interactive" if job is None else "submitted",
        "status": RunStatus.RUNNING if job is None else RunStatus.QUEUED,
        "error": None,
        "user": principal.name,
        "created_at": now,
        "started_at": now if job is None else None,
        "ended_at": None,
        "target": job.target if job else None,
        "job": _job_text(job) if job else None,
        "exit_code": None,
        "owner": owner_text(request.owner) if request.owner else None,
        "cancel_requested": False,
    }


def _default_name(request: CreateRun, number: int) -> str:
    return f"{PurePosixPath(request.job.script).stem if request.job else 'run'}-{number}"


def _job_text(job: JobSpec) -> str:
    fields = {name: dict(value) if isinstance(value, Mapping) else value for name, value in _fields(job).items()}
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()  # sorted: equal jobs are equal texts


def _fields(job: JobSpec) -> dict[str, Any]:
    return attrs.asdict(job, recurse=False)


def _texts(values: Mapping[str, Any], texts: Mapping[str, str]) -> list[dict[str, Any]]:
    shared = {"run_pk": values["pk"], "experiment_id": values["experiment_id"], "time": values["created_at"]}
    return [{**shared, "name": name, "value": text, "number": number_of(text)} for name, text in texts.items()]


def _existing(connection: Connection, request: CreateRun) -> RunRecord:
    row = find_run(connection, request.id)
    job = _job_text(request.job) if request.job else None
    wanted = (request.experiment_id, request.parent_id, job, request.name or _default_name(request, row.number))
    same_owner = job is not None or row.owner == (owner_text(request.owner) if request.owner else None)
    if (row.experiment_id, row.parent_id, row.job, row.name) != wanted or not same_owner:
        raise Conflict(f"run {row.id} exists already with other fields: it is {row.name!r} of another request")
    return records_of(connection, [row], states=True)[0]
