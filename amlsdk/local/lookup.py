"""Rows that requests name, and what a request may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.engine import Connection

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.records.ids import is_id
from amlsdk.records.names import check_key, check_text
from amlsdk.storage.catalogue.schema import deployment, experiment, fileset, image, manifest, model, project, run

__all__ = [
    "check_id",
    "check_texts",
    "find_deployment",
    "find_experiment",
    "find_fileset",
    "find_image",
    "find_manifest",
    "find_model",
    "find_project",
    "find_run",
]

# Built once: making a statement takes longer than executing it.
_ID: Any = bindparam("wanted")
_RUN = select(run).where(run.c.id == _ID)
_PROJECT = select(project).where(project.c.id == _ID)
_EXPERIMENT = select(experiment).where(experiment.c.id == _ID)
_MODEL = select(model).where(model.c.id == _ID)
_MANIFEST = select(manifest).where(manifest.c.id == _ID)
_IMAGE = select(image).where(image.c.id == _ID)
_DEPLOYMENT = select(deployment).where(deployment.c.id == _ID)
_FILESET = select(fileset).where(fileset.c.digest == _ID)


def find_run(connection: Connection, run_id: str) -> Any:
    """Return the row of a run, or raise NotFound."""
    return _found(connection, _RUN, run_id, "run")


def find_project(connection: Connection, project_id: str) -> Any:
    """Return the row of a project, or raise NotFound."""
    return _found(connection, _PROJECT, project_id, "project")


def find_experiment(connection: Connection, experiment_id: str) -> Any:
    """Return the row of an experiment, or raise NotFound."""
    return _found(connection, _EXPERIMENT, experiment_id, "experiment")


def find_model(connection: Connection, model_id: str) -> Any:
    """Return the row of a version of a model, or raise NotFound."""
    return _found(connection, _MODEL, model_id, "model")


def find_manifest(connection: Connection, manifest_id: str) -> Any:
    """Return the row of a version of a manifest, or raise NotFound."""
    return _found(connection, _MANIFEST, manifest_id, "manifest")


def find_image(connection: Connection, image_id: str) -> Any:
    """Return the row of a version of an image, or raise NotFound."""
    return _found(connection, _IMAGE, image_id, "image")


def find_deployment(connection: Connection, deployment_id: str) -> Any:
    """Return the row of a deployment, or raise NotFound."""
    return _found(connection, _DEPLOYMENT, deployment_id, "deployment")


def find_fileset(connection: Connection, digest: str) -> Any:
    """Return the row of a FileSet, or raise NotFound."""
    return _found(connection, _FILESET, digest, "FileSet")


def check_id(text: str, *, what: str) -> str:
    """Return an id that a client made, which becomes the name of files here.

    Raises:
        InvalidArgument: It has not the form of an id.
    """
    if not is_id(text):
        raise InvalidArgument(
            f"{text[:80]!r} can't be the id of a {what}: 26 characters as records.ids.new_id makes them"
        )
    return text


def check_texts(texts: Mapping[str, str | None], *, what: str) -> None:
    """See that params or tags may be kept; None stands for one that is removed.

    Raises:
        InvalidArgument: A name or a text may not be kept; the message names it.
    """
    for name, text in texts.items():
        check_key(name, what=what)
        if text is not None:
            check_text(text, what=f"{what} {name!r}")


def _found(connection: Connection, statement: Select[Any], wanted: str, what: str) -> Any:
    row = connection.execute(statement, {"wanted": wanted}).first()
    if row is None:
        raise NotFound(f"this workspace has no {what} {wanted[:80]!r}")
    return row
