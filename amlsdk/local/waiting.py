"""Waiting for a fact that another process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from amlsdk.errors import InvalidArgument

__all__ = ["MAX_WAIT_S", "wait_for"]

T = TypeVar("T")

MAX_WAIT_S = 60.0
_FIRST_PAUSE_S = 0.002
_LONGEST_PAUSE_S = 0.25


def wait_for(ready: Callable[[], T | None], wait_s: float, *, longest_pause_s: float = _LONGEST_PAUSE_S) -> T | None:
    """Ask again and again until there is an answer, and return it; None where the time is over.

    Args:
        ready: Looks once; None means not yet.
        wait_s: How long, in seconds; 0 looks once, more than 60 is taken as 60.
        longest_pause_s: Between two looks.

    Raises:
        InvalidArgument: `wait_s` is negative or not a number.
    """
    if not wait_s >= 0:
        raise InvalidArgument(f"wait_s is 0 or more seconds, not {wait_s}")
    deadline = time.monotonic() + min(wait_s, MAX_WAIT_S)
    pause_s = _FIRST_PAUSE_S
    while (found := ready()) is None:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return None
        # Other processes write the catalogue, and no database tells of it: looking is all there is.
        time.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, longest_pause_s)
    return found
