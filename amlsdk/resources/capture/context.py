"""Everything that surrounds a run, gathered beside the training and not before it."""

from __future__ import annotations

import copy
import functools
import logging
import math
import os
import time
from collections.abc import Callable
from typing import Any

import attrs

__all__ = ["ContextCapture"]

_log = logging.getLogger("amlsdk")
_GIT_KEPT_S = 2.0


class ContextCapture:
    """Gathers what surrounds a run.

    The command is noted at once, since the script may change it. Packages and machine are looked at once in a process,
    a repository again when 2 s have passed since the last look, so the second run of a process costs nearly nothing.

    Args:
        folder: Of the code; None where it is in no folder here.
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        from amlsdk.resources.capture.command import command_line

        self._folder = None if folder is None else os.path.abspath(folder)  # noqa: PTH100  # resolves no links
        self._topics: dict[str, Any] = {}
        self._gather("command", command_line)

    def gather(self) -> dict[str, Any]:
        """Look at everything, which takes up to seconds in a huge repository; best called beside the run's code.

        Returns:
            JSON by topic: `command`, `python`, `packages`, `git` (None outside of one), `machine`. A topic that
            failed is missing.
        """
        self._gather("python", _python)
        self._gather("machine", _machine)
        self._gather("packages", _packages)
        if self._folder is not None:
            self._gather("git", functools.partial(_git, self._folder))
        return dict(self._topics)

    def _gather(self, topic: str, look: Callable[[], Any]) -> None:
        try:
            self._topics[topic] = look()
        except Exception as error:  # noqa: BLE001  # what surrounds a run must never end it
            _log.debug("%s of the run can't be captured: %r", topic, error)


def _python() -> dict[str, Any]:
    from amlsdk.machine.state import python_state

    return dict(python_state())


def _packages() -> dict[str, str]:
    from amlsdk.resources.capture.packages import installed_packages

    return installed_packages()


def _machine() -> dict[str, Any]:
    return copy.deepcopy(_machine_once())


@functools.cache
def _machine_once() -> dict[str, Any]:
    from amlsdk.machine.state import machine_state

    return machine_state()


def _git(folder: str) -> dict[str, Any] | None:
    return copy.deepcopy(_look_at(folder).state())


@functools.lru_cache(maxsize=64)
def _look_at(folder: str) -> _Look:
    return _Look(folder)


@attrs.define
class _Look:
    """The last look at a folder's repository; two threads that look at once both get an answer of their own."""

    folder: str
    looked_at: float = -math.inf
    found: dict[str, Any] | None = None

    def state(self) -> dict[str, Any] | None:
        if time.monotonic() - self.looked_at > _GIT_KEPT_S:
            from amlsdk.resources.capture.git import git_state

            self.found = git_state(self.folder)
            self.looked_at = time.monotonic()
        return self.found
