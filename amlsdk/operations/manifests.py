"""Operations on manifests."""

from __future__ import annotations

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.manifests import Dependency, ManifestRecord
from amlsdk.records.pages import Ack, Page

__all__ = ["CreateManifest", "DeleteManifest", "GetManifest", "ListManifests"]


@operation("POST", "/v1/manifests", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class CreateManifest(Request[ManifestRecord]):
    """Record the next version of a manifest; the same request again answers the same."""

    id: str
    name: str
    model_ids: tuple[str, ...]
    files: str
    script: str
    python: str
    platform: str
    dependencies: tuple[Dependency, ...] = ()
    unsafe: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    description: str = ""


@operation("GET", "/v1/manifests/{manifest_id}", role=Role.READER)
@attrs.frozen(kw_only=True)
class GetManifest(Request[ManifestRecord]):
    """Read a version of a manifest."""

    manifest_id: str


@operation("GET", "/v1/manifests", role=Role.READER)
@attrs.frozen(kw_only=True)
class ListManifests(Request[Page[ManifestRecord]]):
    """List versions of manifests by name, newest version first; each given field narrows the list."""

    name: str | None = None
    version: int | None = None
    model_id: str | None = None
    latest: bool = False
    limit: int = 100
    after: str | None = None


@operation("DELETE", "/v1/manifests/{manifest_id}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class DeleteManifest(Request[Ack]):
    """Delete a version of a manifest; a Conflict names the images made of it. An absent one is no error."""

    manifest_id: str
