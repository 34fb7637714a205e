"""All that descends from a script, also what it abandoned: on Linux this process adopts that."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from psutil import Process

__all__ = ["ProcessTree", "children_of_this_process", "marked"]

_PAUSE_S = 0.02
_LOOKS = 10
_LONGEST_DESCRIPTION = 200
_SUPERVISOR = ["-m", "amlsdk.execution"]
_MARK = "AMLSDK_RUN_ID"
_ENDED = ("zombie", "dead")
_PROC = Path("/proc")
_HAS_PROC = (_PROC / "self" / "stat").is_file()


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
        asked: dict[int, str] = {}
        ask_at = time.monotonic() + linger_s
        force_at = ask_at + grace_s
        while living := self._look():
            now = time.monotonic()
            for member in living if now >= ask_at else ():
                # Asked once: a script that cleans up on SIGTERM must not be interrupted by the next.
                if member.pid in asked and now < force_at:
                    continue
                asked.setdefault(member.pid, _described(member.pid))
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    _force(member) if now >= force_at else os.kill(member.pid, signal.SIGTERM)
            time.sleep(_PAUSE_S)
        return tuple(asked.values())

    def _look(self) -> list[_Member]:
        """Return what still runs; empty only where nothing does."""
        looks = 0
        while True:
            self.script.poll()
            children = self.reap()
            living, excepted = self._living()
            looks += 1
            # A process that ends just after it has started another hides that one from a look at all of them, but
            # not from the system's word on whether this process has a child.
            if living or not children or not hasattr(os, "waitid"):
                return living
            # That word says nothing where there are others; then one is hardly hidden from many looks.
            if excepted and looks == _LOOKS:
                return living
            time.sleep(_PAUSE_S)

    def _living(self) -> tuple[list[_Member], bool]:
        """Return the running processes of the tree, and whether this process has other descendants."""
        below = _below(os.getpid(), members := _members())
        excepted = [one for one in below.values() if one.pid in self.spared or _is_supervisor(one.pid)]
        for one in excepted:
            for pid in (one.pid, *_below(one.pid, members)):
                below.pop(pid, None)
        if sys.platform != "linux":
            below |= {process.pid: _Member(process.pid, parent=0) for process in marked(self.run_id)}
        living = sorted((one for one in below.values() if one.runs), key=lambda one: one.pid)
        return living, bool(excepted)


@attrs.frozen
class _Member:
    """A process, as it was when it was looked at.

    Args:
        pid: Its number.
        parent: Of its parent.
        group: Of its process group; None where that is not known.
        runs: Whether it has not ended.
    """

    pid: int
    parent: int
    group: int | None = None
    runs: bool = True


def _members() -> list[_Member]:
    """Return all processes of this machine."""
    if _HAS_PROC:
        # Read here, as one look at a table that changes has to be short: psutil takes several.
        pids = [int(name) for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208  # names are enough
        # The newest first: what was begun a moment ago may be gone in another.
        found = (_of_linux(pid) for pid in sorted(pids, reverse=True))
        return [one for one in found if one is not None]
    import psutil

    return [
        _Member(process.pid, process.info["ppid"] or 0, runs=process.info["status"] not in _ENDED)
        for process in psutil.process_iter(["ppid", "status"])
    ]


def _of_linux(pid: int) -> _Member | None:
    try:
        # Its own name may have spaces and brackets in it.
        state, parent, group = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[:3]
    except (OSError, ValueError):
        return None
    return _Member(pid, int(parent), int(group), runs=state not in (b"Z", b"X"))


def _below(pid: int, members: list[_Member]) -> dict[int, _Member]:
    """Return the descendants of a process by their numbers."""
    children: dict[int, list[_Member]] = {}
    for one in members:
        children.setdefault(one.parent, []).append(one)
    found: dict[int, _Member] = {}
    waiting = [pid]
    while waiting:
        for one in children.get(waiting.pop(), ()):
            if one.pid not in found:
                found[one.pid] = one
                waiting.append(one.pid)
    return found


def _force(member: _Member) -> None:
    # One that has ended meanwhile may have left another behind, in the same group. A script begins a group of its own,
    # and so do supervisors: who is in a group that is not this process's is the script's.
    if member.group not in (None, 0, os.getpgrp()):
        os.killpg(member.group, signal.SIGKILL)
    else:
        os.kill(member.pid, signal.SIGKILL)


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


def _is_supervisor(pid: int) -> bool:
    """Say whether a process drives runs that a script has submitted: these outlive it."""
    return _command(pid)[1:3] == _SUPERVISOR


def _command(pid: int) -> list[str]:
    import psutil

    try:
        return psutil.Process(pid).cmdline()
    except psutil.Error:
        return []


def _described(pid: int) -> str:
    """Name a process by its program and script; other arguments may be secrets, or code."""
    words = _command(pid)[:2]
    names = [PurePath(word).name for word in words if not word.startswith("-")]
    return " ".join([str(pid), *names])[:_LONGEST_DESCRIPTION]
