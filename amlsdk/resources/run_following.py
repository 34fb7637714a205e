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
        _check_timeout(timeout_s)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        stream = None if show_output is False else sys.stdout if show_output is True else show_output
        with Progress(stream) as progress:
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
            if not content and (record.status in ENDED or (deadline is not None and time.monotonic() >= deadline)):
                return record
            if record.status == RunStatus.QUEUED and time.monotonic() - launched > _RELAUNCH_S:
                launched = time.monotonic()
                self._launch_again(record)

    def _look(self, after: int, wait_s: float, *, wanted: bool) -> tuple[RunRecord, bytes]:
        if not wanted:
            return self._client.send(GetRun(run_id=self.id, wait_s=wait_s)), b""
        record = self._client.send(GetRun(run_id=self.id))
        pause = 0.0 if record.status in ENDED else wait_s
        return record, self._client.send(ReadOutput(run_id=self.id, after=after, wait_s=pause)).read()

    def _launch_again(self, record: RunRecord) -> None:
        # Supervisors take queued runs one after the other; should the last one have died, begin another.
        from amlsdk.resources.launching import launch

        if record.job is not None:
            launch(self._client, record)

    def logs(self, *, follow: bool = False) -> Iterator[str]:
        """Iterate over the lines of the run's output.

        Args:
            follow: Go on until the run ends; each look waits at most half a second.
        """
        after, rest = 0, b""
        while True:
            record = self._client.send(GetRun(run_id=self.id))
            pause = _LOOK_S if follow and record.status not in ENDED else 0.0
            content = self._client.send(ReadOutput(run_id=self.id, after=after, wait_s=pause)).read()
            after += len(content)
            *lines, rest = (rest + content).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
            if not content and (not follow or record.status in ENDED):
                break
        if rest:
            yield rest.decode(errors="replace")

    def cancel(self) -> None:
        """Ask that the run be cancelled; its whole process tree is ended, politely first. An ended run stays as it is.

        Raises:
            InvalidArgument: It is an interactive run of a living process.
        """
        self._known = self._client.send(CancelRun(run_id=self.id))


def _check_timeout(timeout_s: float | None) -> None:
    if timeout_s is not None and (
        isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or timeout_s < 0
    ):
        raise InvalidArgument(f"timeout_s is a number of seconds or None, not {timeout_s!r}")
