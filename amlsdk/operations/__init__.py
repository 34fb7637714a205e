"""The API, written once: a request class an operation, a file a noun, and the table of them."""

from amlsdk.operations import blobs, experiments, filesets, jobs, models, projects, runs, workspaces
from amlsdk.operations._table import TABLE, Operation, Request, Role, operation_of

__all__ = [
    "TABLE",
    "Operation",
    "Request",
    "Role",
    "blobs",
    "experiments",
    "filesets",
    "jobs",
    "models",
    "operation_of",
    "projects",
    "runs",
    "workspaces",
]
