"""Waiting for a script's end, or bringing it about."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from amlsdk.execution.targets.base import Execution, ExitStatus
from amlsdk.records.runs import RunStatus

__all__ = ["GRACE_S", "End", "watch"]

GRACE_S = 5.0
_LOOK_S = 0.2


@attrs.frozen
class End:
    """How a run ended.

    Args:
        status: One of `ENDED`.
        reason: Why, where there is something to say.
        exit_code: Of the script, where it had one.
    """

    status: str
    reason: str | None = None
    exit_code: int | None = None


def watch(
    execution: Execution, *, why_stop: Callable[[], str | None], begun_s: float, timeout_s: float | None
) -> tuple[ExitStatus, End | None]:
    """Wait for a script; end it when that is asked for or it runs for too long.

    Args:
        execution: The script.
        why_stop: Returns the reason once somebody wants it to end.
        begun_s: When it began, by the monotonic clock.
        timeout_s: How long it may run.

    Returns:
        How it ended, and how the run ends where the script was not left alone.
    """
    try:
        while (status := execution.poll(_LOOK_S)) is None:
            end = _verdict(why_stop(), time.monotonic() - begun_s, timeout_s)
            if end is not None:
                execution.stop(grace_s=GRACE_S)
                return _ended(execution), end
    except BaseException:
        execution.stop(grace_s=0)
        raise
    return status, None


def _verdict(reason: str | None, run_s: float, timeout_s: float | None) -> End | None:
    if reason is not None:
        return End(RunStatus.CANCELED, reason)
    if timeout_s is not None and run_s > timeout_s:
        return End(RunStatus.FAILED, f"ran longer than timeout_s={timeout_s:g}")
    return None


def _ended(execution: Execution) -> ExitStatus:
    while True:
        status = execution.poll(_LOOK_S)
        if status is not None:
            return status
