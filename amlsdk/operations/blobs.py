"""Operations on blobs: bytes by their digest."""

from __future__ import annotations

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.filesets import PART_BYTES, BlobParts, MissingBlobs
from amlsdk.records.pages import Ack
from amlsdk.records.streams import ByteStream

__all__ = ["FindMissingBlobs", "FinishBlob", "GetBlob", "ListBlobParts", "PutBlob", "PutBlobPart"]

# What a service at least reads of its store in a second, to see that a blob is right.
_SLOWEST_BYTES_A_S = 50e6


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


@operation("PUT", "/v1/blobs/{digest}/parts", role=Role.CONTRIBUTOR, most_bytes=PART_BYTES)
@attrs.frozen(kw_only=True)
class PutBlobPart(Request[Ack]):
    """Keep a part of a blob for a day: its bytes from `number * PART_BYTES` on, 1 to `PART_BYTES` (8 MiB) of them."""

    digest: str
    number: int
    content: ByteStream


@operation("GET", "/v1/blobs/{digest}/parts", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class ListBlobParts(Request[BlobParts]):
    """Say which parts of a blob have come; a blob that is stored counts as used now."""

    digest: str


@operation("POST", "/v1/blobs/{digest}/finish", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class FinishBlob(Request[Ack]):
    """Make a blob of its parts: Conflict where some are missing, InvalidArgument where they have another digest."""

    digest: str
    parts: int

    @property
    def takes_s(self) -> float:
        """How much longer than usual the reply may take: the whole blob is read."""
        return self.parts * PART_BYTES / _SLOWEST_BYTES_A_S
