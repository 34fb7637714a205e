"""Operations on experiments."""

from __future__ import annotations

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.pages import Ack, Page
from amlsdk.records.projects import ExperimentRecord

__all__ = ["CreateExperiment", "DeleteExperiment", "GetExperiment", "ListExperiments", "UpdateExperiment"]


@operation("POST", "/v1/experiments", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class CreateExperiment(Request[ExperimentRecord]):
    """Create an experiment; the same request again answers the same, another of that name is a Conflict."""

    id: str
    project_id: str
    name: str
    description: str = ""


@operation("GET", "/v1/experiments/{experiment_id}", role=Role.READER)
@attrs.frozen(kw_only=True)
class GetExperiment(Request[ExperimentRecord]):
    """Read an experiment."""

    experiment_id: str


@operation("GET", "/v1/experiments", role=Role.READER)
@attrs.frozen(kw_only=True)
class ListExperiments(Request[Page[ExperimentRecord]]):
    """List experiments by name, of a project or of all; or find those of a name."""

    project_id: str | None = None
    name: str | None = None
    limit: int = 100
    after: str | None = None


@operation("PATCH", "/v1/experiments/{experiment_id}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class UpdateExperiment(Request[ExperimentRecord]):
    """Change an experiment; None leaves a field as it is."""

    experiment_id: str
    description: str | None = None


@operation("DELETE", "/v1/experiments/{experiment_id}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class DeleteExperiment(Request[Ack]):
    """Delete an experiment with its runs; a Conflict while runs are active or models came from them."""

    experiment_id: str
