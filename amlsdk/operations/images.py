"""Operations on images, and those of who builds them."""

from __future__ import annotations

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.images import HOST_BASE, ImageRecord, LayerRecord
from amlsdk.records.jobs import LeaseRecord, OutputPosition, ProcessIdentity
from amlsdk.records.pages import Ack, Page
from amlsdk.records.streams import ByteStream

__all__ = [
    "AppendImageLog",
    "CancelImage",
    "CreateImage",
    "DeleteImage",
    "EndImage",
    "GetImage",
    "HeartbeatImage",
    "ListImages",
    "ReadImageLog",
]


@operation("POST", "/v1/images", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class CreateImage(Request[ImageRecord]):
    """Record the next version of an image, which `owner` builds; the same request again answers the same."""

    id: str
    name: str
    manifest_id: str
    owner: ProcessIdentity
    builder: str = "oci"
    base: str = HOST_BASE


@operation("GET", "/v1/images/{image_id}", role=Role.READER)
@attrs.frozen(kw_only=True)
class GetImage(Request[ImageRecord]):
    """Read a version of an image; the reply is held back up to `wait_s` for the end of its build."""

    image_id: str
    wait_s: float = 0.0


@operation("GET", "/v1/images", role=Role.READER)
@attrs.frozen(kw_only=True)
class ListImages(Request[Page[ImageRecord]]):
    """List versions of images by name, newest version first; each given field narrows the list."""

    name: str | None = None
    version: int | None = None
    manifest_id: str | None = None
    status: str | None = None
    latest: bool = False
    limit: int = 100
    after: str | None = None


@operation("POST", "/v1/images/{image_id}/heartbeat", role=Role.CONTRIBUTOR, sign_of_life=True)
@attrs.frozen(kw_only=True)
class HeartbeatImage(Request[LeaseRecord]):
    """Say as its owner that a build goes on, and at which step; a Conflict where it has ended."""

    image_id: str
    owner: ProcessIdentity
    step: str = ""


@operation("POST", "/v1/images/{image_id}/end", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class EndImage(Request[ImageRecord]):
    """End a build as its owner: Completed with its digest and layers, Failed or Canceled with the reason."""

    image_id: str
    owner: ProcessIdentity
    status: str
    error: str | None = None
    digest: str | None = None
    files: str | None = None
    layers: tuple[LayerRecord, ...] = ()
    platform: str = ""
    python: str = ""


@operation("POST", "/v1/images/{image_id}/cancel", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class CancelImage(Request[ImageRecord]):
    """Ask the owner of a build to end it; one that has ended stays as it is."""

    image_id: str


@operation("DELETE", "/v1/images/{image_id}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class DeleteImage(Request[Ack]):
    """Delete an image that has ended; a Conflict names deployments that need it. An absent one is no error."""

    image_id: str


@operation("POST", "/v1/images/{image_id}/log", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class AppendImageLog(Request[OutputPosition]):
    """Append bytes to a build log; bytes before the present end are skipped, a gap is answered with the end."""

    image_id: str
    offset: int
    content: ByteStream


@operation("GET", "/v1/images/{image_id}/log", role=Role.READER)
@attrs.frozen(kw_only=True)
class ReadImageLog(Request[ByteStream]):
    """Read a build log from byte `after` on, at most `limit_bytes`; held back up to `wait_s` while there is none."""

    image_id: str
    after: int = 0
    limit_bytes: int = 4_194_304
    wait_s: float = 0.0
