"""What a run printed."""

from __future__ import annotations

from amlsdk.local.finding import find_run
from amlsdk.local.handling import Local, handles
from amlsdk.local.printed import append_printed, check_read, read_printed
from amlsdk.operations.runs import AppendOutput, ReadOutput
from amlsdk.records.jobs import OutputPosition
from amlsdk.records.runs import ENDED
from amlsdk.records.streams import ByteStream
from amlsdk.service import Principal
from amlsdk.storage.outputs.base import run_key

__all__ = ["append_output", "read_output"]


@handles(ReadOutput)
def read_output(local: Local, _: Principal, request: ReadOutput) -> ByteStream:
    """Read output from a byte on, waiting while there is none and the run goes on."""
    check_read(request)
    key = _key(local, request.run_id)
    return read_printed(local, key, request, is_over=lambda: _has_ended(local, request.run_id))


@handles(AppendOutput)
def append_output(local: Local, _: Principal, request: AppendOutput) -> OutputPosition:
    """Append output after what is there."""
    return append_printed(local, _key(local, request.run_id), request)


def _key(local: Local, run_id: str) -> str:
    with local.database.read() as connection:
        return run_key(find_run(connection, run_id).id)


def _has_ended(local: Local, run_id: str) -> bool:
    with local.database.read() as connection:
        return find_run(connection, run_id).status in ENDED
