"""All that descends from a script, also what it abandoned: on Linux this process adopts that."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from psutil import Process

__all__ = ["ProcessTree", "children_of_this_process", "marked"]

_PAUSE_S = 0.02
_LONGEST_DESCRIPTION = 200
_SUPERVISOR = ["-m", "amlsdk.execution"]
_MARK = "AMLSDK_RUN_ID"


@attrs.define
class ProcessTree:
    """A script and its descendants: every process below this one, but for those that are spared.

    Args:
        script: The process at the top.
        run_id: The mark in the environment of all of them.
        spared: Children of this process from before, which are none of the script's.
    """

    script: subprocess.Popen[bytes]
    run_id: str
    spared: frozenset[int] = frozenset()

    def reap(self) -> bool:
        """Collect adopted processes that have ended; say whether children are left or may be.

        Neither the script nor those that are spared are collected: others ask how they ended.
        """
        if not hasattr(os, "waitid"):
            return True
        while True:
            try:
                # Only look: a process once collected can't tell another how it ended.
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return False
            if ended is None or ended.si_pid in self.spared:
                return True
            if ended.si_pid == self.script.pid and self.script.returncode is None:
                return True
            with contextlib.suppress(ChildProcessError):
                os.waitpid(ended.si_pid, os.WNOHANG)

    def end(self, *, grace_s: float, linger_s: float = 0.0) -> tuple[str, ...]:
        """End all of it.

        Args:
            grace_s: Seconds between asking and forcing.
            linger_s: Seconds before asking, for those that are about to end by themselves.

        Returns:
            What had to be asked, a line each.
        """
        import psutil

        asked: dict[int, str] = {}
        ask_at = time.monotonic() + linger_s
        force_at = ask_at + grace_s
        while living := self._look():
            now = time.monotonic()
            for process in living if now >= ask_at else ():
                # Asked once: a script that cleans up on SIGTERM must not be interrupted by the next.
                if process.pid in asked and now < force_at:
                    continue
                asked.setdefault(process.pid, _described(process))
                with contextlib.suppress(psutil.Error):
                    process.kill() if now >= force_at else process.terminate()
            time.sleep(_PAUSE_S)
        return tuple(asked.values())

    def _look(self) -> list[Process]:
        """Return what still runs; empty only where nothing does."""
        while True:
            self.script.poll()
            children = self.reap()
            living, excepted = self._living()
            # A process that ends just after it has started another hides that one from a look at all of them, but
            # not from the system's word on whether this process has a child.
            if living or not children or excepted or not hasattr(os, "waitid"):
                return living
            time.sleep(_PAUSE_S)

    def _living(self) -> tuple[list[Process], bool]:
        """Return the running processes of the tree, and whether this process has other descendants."""
        import psutil

        found = {process.pid: process for process in psutil.Process().children(recursive=True)}
        excepted = [process for process in found.values() if process.pid in self.spared or _is_supervisor(process)]
        for process in excepted:
            found.pop(process.pid, None)
            with contextlib.suppress(psutil.Error):
                for other in process.children(recursive=True):
                    found.pop(other.pid, None)
        if sys.platform != "linux":
            found |= {process.pid: process for process in marked(self.run_id)}
        return [process for process in found.values() if _runs(process)], bool(excepted)


def marked(run_id: str) -> Iterator[Process]:
    """Yield the processes whose environment names a run: where nobody adopts, this is how they are found."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(_MARK) == run_id:
                yield process


def children_of_this_process() -> frozenset[int]:
    """Return the numbers of the processes that this one has begun or adopted and not yet collected."""
    if hasattr(os, "waitid"):
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            # The usual answer, without loading what the other takes.
            return frozenset()
    import psutil

    return frozenset(process.pid for process in psutil.Process().children())


def _is_supervisor(process: Process) -> bool:
    """Say whether a process drives runs that a script has submitted: these outlive it."""
    import psutil

    try:
        return process.cmdline()[1:3] == _SUPERVISOR
    except psutil.Error:
        return False


def _runs(process: Process) -> bool:
    import psutil

    try:
        return bool(process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    except psutil.Error:
        return False


def _described(process: Process) -> str:
    """Name a process by its program and script; other arguments may be secrets, or code."""
    import psutil

    try:
        words = process.cmdline()[:2]
    except psutil.Error:
        words = []
    names = [PurePath(word).name for word in words if not word.startswith("-")]
    return " ".join([str(process.pid), *names])[:_LONGEST_DESCRIPTION]
