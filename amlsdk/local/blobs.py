"""Blobs: asked for, sent, fetched."""

from __future__ import annotations

from amlsdk.local.handling import Local, handles
from amlsdk.operations.blobs import FindMissingBlobs, FinishBlob, GetBlob, ListBlobParts, PutBlob, PutBlobPart
from amlsdk.operations.checks import check_size
from amlsdk.records.filesets import PART_BYTES, BlobParts, MissingBlobs
from amlsdk.records.pages import Ack
from amlsdk.records.streams import ByteStream
from amlsdk.service import Principal

__all__: list[str] = []


@handles(FindMissingBlobs)
def find_missing_blobs(local: Local, _: Principal, request: FindMissingBlobs) -> MissingBlobs:
    """Say which digests are not stored; those that are count as used now."""
    return MissingBlobs(digests=local.blobs.missing(request.digests))


@handles(PutBlob)
def put_blob(local: Local, _: Principal, request: PutBlob) -> Ack:
    """Store a blob."""
    local.blobs.put(request.digest, request.content)
    return Ack()


@handles(GetBlob)
def get_blob(local: Local, _: Principal, request: GetBlob) -> ByteStream:
    """Read a blob, verified where it is read from its first byte."""
    return local.blobs.open(request.digest, start=request.start)


@handles(PutBlobPart)
def put_blob_part(local: Local, _: Principal, request: PutBlobPart) -> Ack:
    """Keep a part of a blob."""
    check_size(request.content.size_bytes or 0, PART_BYTES, at="PutBlobPart")
    local.blobs.put_part(request.digest, request.number, request.content)
    return Ack()


@handles(ListBlobParts)
def list_blob_parts(local: Local, _: Principal, request: ListBlobParts) -> BlobParts:
    """Say what is there of a blob."""
    if not local.blobs.missing([request.digest]):
        return BlobParts(sizes={}, stored=True)
    sizes = local.blobs.parts(request.digest)
    return BlobParts(sizes={str(number): size for number, size in sizes.items()}, stored=False)


@handles(FinishBlob)
def finish_blob(local: Local, _: Principal, request: FinishBlob) -> Ack:
    """Make a blob of its parts."""
    local.blobs.finish(request.digest, request.parts)
    return Ack()
