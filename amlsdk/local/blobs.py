"""Blobs: asked for, sent, fetched."""

from __future__ import annotations

from amlsdk.local.handling import Local, handles
from amlsdk.operations.blobs import FindMissingBlobs, GetBlob, PutBlob
from amlsdk.records.filesets import MissingBlobs
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
