"""Operations on registered models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.models import ModelRecord
from amlsdk.records.pages import Ack, Page

__all__ = ["CreateModel", "DeleteModel", "GetModel", "ListModels", "SetModelAlias", "UpdateModel"]


@operation("POST", "/v1/models", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class CreateModel(Request[ModelRecord]):
    """Register the next version of a model; the same request again answers the same."""

    id: str
    name: str
    digest: str
    format: str
    algorithm: Mapping[str, Any] = attrs.field(factory=dict)
    run_id: str | None = None
    description: str = ""
    tags: Mapping[str, str] = attrs.field(factory=dict)
    aliases: tuple[str, ...] = ()


@operation("GET", "/v1/models/{model_id}", role=Role.READER)
@attrs.frozen(kw_only=True)
class GetModel(Request[ModelRecord]):
    """Read a version of a model."""

    model_id: str


@operation("GET", "/v1/models", role=Role.READER)
@attrs.frozen(kw_only=True)
class ListModels(Request[Page[ModelRecord]]):
    """List versions of models by name, newest version first; each given field narrows the list."""

    name: str | None = None
    version: int | None = None
    alias: str | None = None
    run_id: str | None = None
    digest: str | None = None
    latest: bool = False
    limit: int = 100
    after: str | None = None


@operation("PATCH", "/v1/models/{model_id}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class UpdateModel(Request[ModelRecord]):
    """Change a version's description and tags; None leaves a field, a tag of None is removed."""

    model_id: str
    description: str | None = None
    tags: Mapping[str, str | None] = attrs.field(factory=dict)


@operation("POST", "/v1/models/{model_id}/aliases", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class SetModelAlias(Request[ModelRecord]):
    """Let an alias of the model's name point at this version, away from any other; or `remove` it."""

    model_id: str
    alias: str
    remove: bool = False


@operation("DELETE", "/v1/models/{model_id}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class DeleteModel(Request[Ack]):
    """Delete a version of a model; a Conflict names what still depends on it. An absent one is no error."""

    model_id: str
