"""Operations on blobs: bytes by their digest."""

from __future__ import annotations

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.filesets import MissingBlobs
from amlsdk.records.pages import Ack
from amlsdk.records.streams import ByteStream

__all__ = ["FindMissingBlobs", "GetBlob", "PutBlob"]


@operation("POST", "/v1/missing-blobs", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class FindMissingBlobs(Request[MissingBlobs]):
    """Say which of some digests are not stored yet."""

    digests: tuple[str, ...]


@operation("PUT", "/v1/blobs/{digest}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class PutBlob(Request[Ack]):
    """Store a blob; InvalidArgument where the content has another digest."""

    digest: str
    content: ByteStream


@operation("GET", "/v1/blobs/{digest}", role=Role.READER)
@attrs.frozen(kw_only=True)
class GetBlob(Request[ByteStream]):
    """Read a blob from byte `start` on."""

    digest: str
    start: int = 0
