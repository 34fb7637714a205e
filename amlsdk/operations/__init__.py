"""The API, written once: a request class an operation, a file a noun, and the table of them."""

from amlsdk.operations import (
    agents,
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
    secrets,
    tenancy,
    workspaces,
)
from amlsdk.operations._table import CALLER, SUBSCRIPTION, TABLE, Operation, Request, Role, operation_of

__all__ = [
    "CALLER",
    "SUBSCRIPTION",
    "TABLE",
    "Operation",
    "Request",
    "Role",
    "agents",
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
    "secrets",
    "tenancy",
    "workspaces",
]
