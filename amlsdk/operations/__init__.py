"""The API, written once: a request class an operation, a file a noun, and the table of them."""

from amlsdk.operations import (
    blobs,
    deployments,
    experiments,
    filesets,
    images,
    jobs,
    manifests,
    models,
    projects,
    runs,
    workspaces,
)
from amlsdk.operations._table import TABLE, Operation, Request, Role, operation_of

__all__ = [
    "TABLE",
    "Operation",
    "Request",
    "Role",
    "blobs",
    "deployments",
    "experiments",
    "filesets",
    "images",
    "jobs",
    "manifests",
    "models",
    "operation_of",
    "projects",
    "runs",
    "workspaces",
]
