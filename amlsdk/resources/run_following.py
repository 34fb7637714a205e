"""Following work that goes on elsewhere: wait, logs, cancel."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from amlsdk.errors import InvalidArgument, OperationFailed
from amlsdk.operations.jobs import CancelRun
from amlsdk.operations.runs import GetRun, ReadOutput
from amlsdk.records.runs import ENDED, RunRecord, RunStatus
from amlsdk.resources.arguments import check_flag
from amlsdk.resources.progress import Progress

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["RunFollowing"]

_LOOK_S = 0.5
_RELAUNCH_S = 5.0
_READ_BYTES = 1 << 20
_LONGEST_LINE = 1 << 20
# Bytes of UTF-8 that go on with a character.
_CONTINUING = range(0x80, 0xC0)


class RunFollowing:
    """How a run is followed to its end."""

    _client: Client
    _known: RunRecord | None

    @property
    def id(self) -> str:  # noqa: D102  # documented where it is defined
        raise NotImplementedError

    def wait(
        self,
        timeout_s: float | None = None,
        *,
        show_output: bool | TextIO = False,
        raise_on_error: bool = True,
    ) -> Any:
        """Wait for the run's end.

        Args:
            timeout_s: Raise TimeoutError after so many seconds; the run goes on.
            show_output: Copy the run's output and states as they come to standard output, or to a stream given.
            raise_on_error: Whether a run that Failed or was Canceled raises.

        Returns:
            This run.

        Raises:
            OperationFailed: It Failed or was Canceled; the message is the reason.
            TimeoutError: It has not ended in time.
        """
        _check_timeout(timeout_s)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        stream = None if show_output is False else sys.stdout if show_output is True else show_output
        with Progress(stream, passing=self._client.config.progress) as progress:
            record = self._follow(deadline, progress)
        self._known = record
        if record.status not in ENDED:
            raise TimeoutError(f"run {record.name!r} is still {record.status} after {timeout_s:g} s; it goes on")
        if raise_on_error and record.status != RunStatus.COMPLETED:
            raise OperationFailed(f"run {record.name!r} is {record.status}: {record.error or 'no reason is known'}")
        return self

    async def wait_async(self, timeout_s: float | None = None, *, raise_on_error: bool = True) -> Any:
        """Wait for the run's end without blocking the event loop; see `wait`."""
        return await asyncio.to_thread(self.wait, timeout_s, raise_on_error=raise_on_error)

    def _follow(self, deadline: float | None, progress: Progress) -> RunRecord:
        after, launched = 0, time.monotonic()
        while True:
            left = _LOOK_S if deadline is None else min(_LOOK_S, max(0.0, deadline - time.monotonic()))
            # Output asks first and the state second, so that what was written before the end is never missed.
            record, content = self._look(after, left, wanted=progress.shows)
            progress.show(record, content)
            after += len(content)
            # A run that goes on printing has always more to show, so only its end waits for the last of it.
            if not content if record.status in ENDED else deadline is not None and time.monotonic() >= deadline:
                return record
            launched = self._launch_again(record, launched)

    def _look(self, after: int, wait_s: float, *, wanted: bool) -> tuple[RunRecord, bytes]:
        if not wanted:
            return self._client.send(GetRun(run_id=self.id, wait_s=wait_s)), b""
        record = self._client.send(GetRun(run_id=self.id))
        pause = 0.0 if record.status in ENDED else wait_s
        return record, self._client.send(ReadOutput(run_id=self.id, after=after, wait_s=pause)).read()

    def _launch_again(self, record: RunRecord, launched: float) -> float:
        """Begin another supervisor for a run that waits for long; return when that was last done."""
        if record.status != RunStatus.QUEUED or time.monotonic() - launched <= _RELAUNCH_S:
            return launched
        # Supervisors take queued runs one after the other, and the last one may have died.
        from amlsdk.resources.launching import launch

        launch(self._client, record)
        return time.monotonic()

    def logs(self, *, follow: bool = False) -> Iterator[str]:
        """Iterate over the lines of the run's output, as text; bytes that are not UTF-8 become U+FFFD.

        A line of more than 1 MiB comes in parts of about that size, so that no output fills the memory.

        Args:
            follow: Go on until the run ends; each look waits at most half a second. Otherwise what is there by now.
        """
        check_flag(follow, what="logs(follow=...)")
        after, launched, lines = 0, time.monotonic(), _Lines()
        while True:
            record = self._client.send(GetRun(run_id=self.id))
            goes_on = follow and record.status not in ENDED
            request = ReadOutput(
                run_id=self.id, after=after, limit_bytes=_READ_BYTES, wait_s=_LOOK_S if goes_on else 0.0
            )
            content = self._client.send(request).read()
            after += len(content)
            yield from lines.take(content)
            if len(content) < _READ_BYTES and not goes_on:
                break
            if goes_on:
                launched = self._launch_again(record, launched)
        yield from lines.rest()

    def cancel(self) -> None:
        """Ask that the run be cancelled; its whole process tree is ended, politely first. An ended run stays as it is.

        Raises:
            InvalidArgument: It is an interactive run of a living process.
        """
        self._known = self._client.send(CancelRun(run_id=self.id))


class _Lines:
    """Bytes as they come, cut into lines; never more than the longest one and a read are held."""

    def __init__(self) -> None:
        self._begun = b""

    def take(self, content: bytes) -> Iterator[str]:
        """Yield the lines that end in these bytes, and parts of one that is too long to wait for its end."""
        *whole, last = (self._begun + content).split(b"\n")
        for line in whole:
            yield from (part.decode(errors="replace") for part in _parts(line))
        *parts, self._begun = _parts(last)
        yield from (part.decode(errors="replace") for part in parts)

    def rest(self) -> Iterator[str]:
        """Yield the last line, where it has no end."""
        if self._begun:
            yield self._begun.decode(errors="replace")


def _parts(line: bytes) -> Iterator[bytes]:
    begin = 0
    while len(line) - begin > _LONGEST_LINE:
        end = _character_at(line, begin + _LONGEST_LINE)
        yield line[begin:end]
        begin = end
    yield line[begin:]


def _character_at(line: bytes, at: int) -> int:
    """Return where the UTF-8 character begins that a byte belongs to; the byte itself where it is part of none."""
    starts = (place for place in range(at, at - 4, -1) if line[place] not in _CONTINUING)
    return next(starts, at)


def _check_timeout(timeout_s: float | None) -> None:
    if timeout_s is not None and (
        isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or timeout_s < 0
    ):
        raise InvalidArgument(f"timeout_s is a number of seconds or None, not {timeout_s!r}")
