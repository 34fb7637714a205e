"""A workspace in a folder, answered in this process: a handler file a noun."""

from amlsdk.local import (
    blobs,
    creation,
    experiments,
    filesets,
    garbage,
    jobs,
    journals,
    logged,
    models,
    outputs,
    projects,
    registration,
    runs,
    series,
    status,
    workspaces,
)
from amlsdk.local.backend import LocalBackend

__all__ = [
    "LocalBackend",
    "blobs",
    "creation",
    "experiments",
    "filesets",
    "garbage",
    "jobs",
    "journals",
    "logged",
    "models",
    "outputs",
    "projects",
    "registration",
    "runs",
    "series",
    "status",
    "workspaces",
]
