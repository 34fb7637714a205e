"""Hearing that this process is to end, also while it waits for something."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Stopping"]

T = TypeVar("T")


class _Told(BaseException):
    """This process was told to stop while it waited."""


class Stopping:
    """Whether this process was told to stop; to be made in its main thread.

    Args:
        signals: That tell it.
    """

    def __init__(self, *signals: signal.Signals) -> None:
        self.asked = False
        self._is_waiting = False
        for number in signals:
            signal.signal(number, self._hear)

    def during(self, work: Callable[[], T]) -> T | None:
        """Do something, and leave it as soon as this process is told to stop: a service may be waited for for long.

        Returns:
            What it returned; None where it was left.
        """
        try:
            self._is_waiting = True
            # It may have been told just before.
            return None if self.asked else work()
        except _Told:
            return None
        finally:
            self._is_waiting = False

    def _hear(self, *_: object) -> None:
        self.asked = True
        if self._is_waiting:
            self._is_waiting = False
            raise _Told
