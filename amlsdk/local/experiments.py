"""Experiments: created, read, changed, deleted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select, update

from amlsdk.errors import Conflict
from amlsdk.local.handling import Local, handles
from amlsdk.local.lookup import check_id, find_experiment, find_project
from amlsdk.local.pages import page_of
from amlsdk.local.removal import refuse_if_needed, remove_runs
from amlsdk.operations.experiments import (
    CreateExperiment,
    DeleteExperiment,
    GetExperiment,
    ListExperiments,
    UpdateExperiment,
)
from amlsdk.records.names import check_name, check_text
from amlsdk.records.pages import Ack, Page
from amlsdk.records.projects import ExperimentRecord
from amlsdk.service import Principal
from amlsdk.storage.catalogue.schema import experiment, run
from amlsdk.storage.catalogue.times import from_us, now_us

__all__: list[str] = []


@handles(CreateExperiment)
def create_experiment(local: Local, _: Principal, request: CreateExperiment) -> ExperimentRecord:
    """Create an experiment, or answer a repeated request with the one it created."""
    check_id(request.id, what="experiment")
    check_name(request.name, what="experiment")
    check_text(request.description, what="the description of an experiment")
    taken = (experiment.c.project_id == request.project_id) & (experiment.c.name == request.name)
    with local.database.write() as connection:
        find_project(connection, request.project_id)
        rows = connection.execute(select(experiment).where((experiment.c.id == request.id) | taken)).all()
        same = _same(rows, request)
        if same is None:
            row = {"id": request.id, "project_id": request.project_id, "name": request.name}
            connection.execute(insert(experiment), {**row, "description": request.description, "created_at": now_us()})
        return same or _record(find_experiment(connection, request.id))


@handles(GetExperiment)
def get_experiment(local: Local, _: Principal, request: GetExperiment) -> ExperimentRecord:
    """Read an experiment."""
    with local.database.read() as connection:
        return _record(find_experiment(connection, request.experiment_id))


@handles(ListExperiments)
def list_experiments(local: Local, _: Principal, request: ListExperiments) -> Page[ExperimentRecord]:
    """List experiments by name."""
    statement = select(experiment)
    if request.name is not None:
        statement = statement.where(experiment.c.name == request.name)
    with local.database.read() as connection:
        if request.project_id is not None:
            find_project(connection, request.project_id)
            statement = statement.where(experiment.c.project_id == request.project_id)
        keys = [experiment.c.name, experiment.c.id]
        return page_of(connection, statement, keys, request, lambda rows: [_record(row) for row in rows])


@handles(UpdateExperiment)
def update_experiment(local: Local, _: Principal, request: UpdateExperiment) -> ExperimentRecord:
    """Change what is given."""
    check_text(request.description or "", what="the description of an experiment")
    with local.database.write() as connection:
        find_experiment(connection, request.experiment_id)
        if request.description is not None:
            this = experiment.c.id == request.experiment_id
            connection.execute(update(experiment).where(this).values(description=request.description))
        return _record(find_experiment(connection, request.experiment_id))


@handles(DeleteExperiment)
def delete_experiment(local: Local, _: Principal, request: DeleteExperiment) -> Ack:
    """Delete an experiment and its runs, unless something outside needs them."""
    inside = run.c.experiment_id == request.experiment_id
    with remove_runs(local, inside) as connection:
        refuse_if_needed(connection, f"experiment {request.experiment_id}", inside)
        connection.execute(delete(experiment).where(experiment.c.id == request.experiment_id))
    return Ack()


def _same(rows: Any, request: CreateExperiment) -> ExperimentRecord | None:
    wanted = (request.project_id, request.name, request.description)
    for row in rows:
        if row.id != request.id:
            raise Conflict(f"an experiment named {request.name!r} exists already in this project: {row.id}")
        if (row.project_id, row.name, row.description) != wanted:
            raise Conflict(f"experiment {row.id} exists already with other fields: it is named {row.name!r}")
        return _record(row)
    return None


def _record(row: Any) -> ExperimentRecord:
    return ExperimentRecord(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        description=row.description,
        created_at=from_us(row.created_at),
    )
