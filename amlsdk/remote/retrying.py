"""Trying again: the only place of amlsdk that does.

Every request may be sent twice, because ids are made by the client and appends name their offset.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import NoReturn, TypeVar

import attrs
import tenacity

from amlsdk.errors import Unavailable

__all__ = ["Again", "Patience"]

T = TypeVar("T")
_FIRST_S, _LONGEST_S = 0.1, 8.0
_SILENT_S = 3.0
_LOG = logging.getLogger("amlsdk.remote")


class Again(Exception):  # told to nobody outside of this package
    """An attempt failed in a way that may pass.

    Args:
        reason: What happened.
        after_s: How long the service asked to be left alone, or None.
    """

    def __init__(self, reason: str, *, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s

    @classmethod
    def after(cls, reason: str, header: str | None) -> Again:
        """Read the header Retry-After (RFC 9110, section 10.2.3): seconds or a date; anything else is passed over."""
        return cls(reason, after_s=_seconds(header) if header else None)


def _seconds(header: str) -> float | None:
    try:
        found = float(header) if header.strip().isdecimal() else _until(header)
    except ValueError:
        return None
    return max(0.0, found)


def _until(header: str) -> float:
    at = parsedate_to_datetime(header)
    # A date without a zone, which that section does not know, is taken as UTC.
    return (
        (at if at.tzinfo else at.replace(tzinfo=dt.timezone.utc)) - dt.datetime.now(dt.timezone.utc)
    ).total_seconds()


@attrs.frozen(kw_only=True)
class Patience:
    """How long a service is tried.

    Args:
        deadline_s: No attempt begins later than so many seconds after the first.
        sleep: Waits between attempts.
    """

    deadline_s: float
    sleep: Callable[[float], None]

    def insist(self, attempt: Callable[[], T], *, what: str) -> T:
        """Return what an attempt returns, however many it takes.

        Raises:
            Unavailable: None succeeded in time; the message says what was tried.
        """
        told: list[bool] = []

        def say(state: tenacity.RetryCallState) -> None:
            _LOG.debug("%s: %s; trying again", what, _last(state))
            if not told and (state.seconds_since_start or 0.0) >= _SILENT_S:
                # Whoever waits sees why, before they have waited to the end.
                told.append(True)
                _LOG.warning("%s: %s; it is tried again, for up to %.0f s", what, _last(state), self.deadline_s)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Again),
            wait=self._pause,
            stop=self._enough,
            sleep=self.sleep,
            before_sleep=say,
            retry_error_callback=lambda state: self._give_up(state, what),
        )
        return retrying(attempt)

    def _pause(self, state: tenacity.RetryCallState) -> float:
        jittered = tenacity.wait_random_exponential(multiplier=_FIRST_S, max=_LONGEST_S)(state)
        # The last attempt is made at the deadline, not given up before it.
        left_s = max(0.0, self.deadline_s - (state.seconds_since_start or 0.0))
        return max(_last(state).after_s or 0.0, min(jittered, left_s))

    def _enough(self, state: tenacity.RetryCallState) -> bool:
        spent = state.seconds_since_start or 0.0
        return spent >= self.deadline_s or spent + (_last(state).after_s or 0.0) > self.deadline_s

    def _give_up(self, state: tenacity.RetryCallState, what: str) -> NoReturn:
        last = _last(state)
        asked = f"; it asks to be left alone for {math.ceil(last.after_s)} s" if last.after_s else ""
        times = "once" if state.attempt_number == 1 else f"{state.attempt_number} times"
        raise Unavailable(
            f"{what} was tried {times} in {state.seconds_since_start or 0:.0f} s: {last}{asked}; "
            "see that the service runs and that its URL is right, then try again"
        ) from last


def _last(state: tenacity.RetryCallState) -> Again:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, Again) else Again("nothing was tried")
