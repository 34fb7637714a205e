"""Following work that goes on elsewhere: wait, logs, cancel."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from amlsdk.errors import OperationFailed
from amlsdk.operations.jobs import CancelRun
from amlsdk.operations.runs import GetRun, ReadOutput
from amlsdk.records.runs import ENDED, RunRecord, RunStatus
from amlsdk.resources.arguments import check_flag, check_timeout
from amlsdk.resources.lines import READ_BYTES, lines_of
from amlsdk.resources.progress import Progress

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["RunFollowing"]

_LOOK_S = 0.5
_RELAUNCH_S = 5.0


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
        check_timeout(timeout_s)
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
        """Iterate over the lines of the run's output, as `lines_of` cuts them.

        Args:
            follow: Go on until the run ends; each look waits at most half a second. Otherwise what is there by now.
        """
        check_flag(follow, what="logs(follow=...)")
        launched = time.monotonic()

        def look(after: int) -> tuple[bytes, bool]:
            nonlocal launched
            record = self._client.send(GetRun(run_id=self.id))
            goes_on = follow and record.status not in ENDED
            if goes_on:
                launched = self._launch_again(record, launched)
            wait_s = _LOOK_S if goes_on else 0.0
            request = ReadOutput(run_id=self.id, after=after, limit_bytes=READ_BYTES, wait_s=wait_s)
            return self._client.send(request).read(), goes_on

        yield from lines_of(look)

    def cancel(self) -> None:
        """Ask that the run be cancelled; its whole process tree is ended, politely first. An ended run stays as it is.

        Raises:
            InvalidArgument: It is an interactive run of a living process.
        """
        self._known = self._client.send(CancelRun(run_id=self.id))
