"""What runs, builds and deployments printed: appended to, and read while it grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from amlsdk.errors import InvalidArgument
from amlsdk.local.handling import Local
from amlsdk.local.waiting import wait_for
from amlsdk.records.jobs import OutputPosition
from amlsdk.records.streams import ByteStream

__all__ = ["append_printed", "check_read", "read_printed"]


class _Append(Protocol):
    @property
    def offset(self) -> int: ...
    @property
    def content(self) -> ByteStream: ...


class _Read(Protocol):
    @property
    def after(self) -> int: ...
    @property
    def limit_bytes(self) -> int: ...
    @property
    def wait_s(self) -> float: ...


def check_read(request: _Read) -> None:
    """See that a request can be meant."""
    if request.after < 0 or request.limit_bytes < 1:
        raise InvalidArgument(
            f"output is read from byte 0 or later and at least one byte, not {request.limit_bytes} from {request.after}"
        )


def read_printed(local: Local, key: str, request: _Read, *, is_over: Callable[[], bool]) -> ByteStream:
    """Read from a byte on, waiting while there is none and more may come.

    Args:
        local: The workspace.
        key: Of the output.
        request: Says from where, how much, and how long to wait.
        is_over: Says that no more will come.
    """

    def has_more() -> bool | None:
        # The end is asked for first: what is printed is printed before it.
        over = is_over()
        return True if over or local.outputs.size(key) > request.after else None

    wait_for(has_more, request.wait_s)
    stop = min(local.outputs.size(key), request.after + request.limit_bytes)
    if stop <= request.after:
        return ByteStream.of(b"")
    return local.outputs.read(key, start=request.after, stop=stop)


def append_printed(local: Local, key: str, request: _Append) -> OutputPosition:
    """Append bytes after what is there; those that are there already are skipped, a gap is answered with the end.

    Raises:
        InvalidArgument: The offset is negative.
        Unavailable: The store takes no more.
    """
    if request.offset < 0:
        raise InvalidArgument(f"output has no byte {request.offset}; offsets begin at 0")
    return OutputPosition(offset=local.outputs.append(key, request.content, offset=request.offset))
