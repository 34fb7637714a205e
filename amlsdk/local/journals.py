"""Journals that come from elsewhere."""

from __future__ import annotations

import re

from amlsdk.errors import InvalidArgument
from amlsdk.local.appending import append
from amlsdk.local.durable import wait_for_disk
from amlsdk.local.handling import Local, handles
from amlsdk.operations import operation_of
from amlsdk.operations.checks import check_size
from amlsdk.operations.runs import AppendJournal
from amlsdk.records.logged import JournalPosition
from amlsdk.service import Principal

__all__ = ["append_journal"]

_WRITER = re.compile(r"[0-9a-f]{16}")
_END, _END_LINE_BYTES = b'"k":"end"', 128


@handles(AppendJournal)
def append_journal(local: Local, _: Principal, request: AppendJournal) -> JournalPosition:
    """Apply whole lines, or say which offset is wanted."""
    if not _WRITER.fullmatch(request.writer):
        raise InvalidArgument(f"{request.writer!r:.80} is no writer of a journal: 16 of the digits 0-9 a-f")
    data = _bounded(request)
    position = append(
        local, request.run_id, writer=request.writer, offset=request.offset, data=data, digest=request.digest
    )
    if position.accepted and _may_be_last(data):
        # Whoever sent it removes the journal now.
        wait_for_disk(local)
    return position


def _may_be_last(data: bytes) -> bool:
    return not data.endswith(b"\n") or _END in data[-_END_LINE_BYTES:]


def _bounded(request: AppendJournal) -> bytes:
    operation = operation_of(request)
    chunks, size = [], 0
    for chunk in request.content:
        size += len(chunk)
        check_size(size, operation.most_bytes or size, at=operation.name)
        chunks.append(chunk)
    return b"".join(chunks)
