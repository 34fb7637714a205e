"""What a run printed: one file a run."""

from __future__ import annotations

from pathlib import Path

from amlsdk.local.finding import find_run
from amlsdk.local.handling import Local, handles
from amlsdk.local.output_files import append_to, check_read, read_from
from amlsdk.operations.runs import AppendOutput, ReadOutput
from amlsdk.records.jobs import OutputPosition
from amlsdk.records.runs import ENDED
from amlsdk.records.streams import ByteStream
from amlsdk.service import Principal

__all__ = ["append_output", "read_output"]


@handles(ReadOutput)
def read_output(local: Local, _: Principal, request: ReadOutput) -> ByteStream:
    """Read output from a byte on, waiting while there is none and the run goes on."""
    check_read(request)
    path = _checked(local, request.run_id)
    return read_from(path, request, is_over=lambda: _has_ended(local, request.run_id))


@handles(AppendOutput)
def append_output(local: Local, _: Principal, request: AppendOutput) -> OutputPosition:
    """Append output after what is there."""
    path = _checked(local, request.run_id)
    return append_to(path, request.content, offset=request.offset, what=f"run {request.run_id}")


def _checked(local: Local, run_id: str) -> Path:
    with local.database.read() as connection:
        return local.run_folder(find_run(connection, run_id).id) / "output.log"


def _has_ended(local: Local, run_id: str) -> bool:
    with local.database.read() as connection:
        return find_run(connection, run_id).status in ENDED
