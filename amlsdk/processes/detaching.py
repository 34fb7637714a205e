"""Leaving the process that asked behind."""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["adopt_orphans", "detach", "let_go_of_streams"]

_PR_SET_CHILD_SUBREAPER = 36


def detach() -> None:
    """Go on as a process that nobody waits for: no terminal, no parent, and the parent of what is abandoned below it.

    The process that was started ends here. It was started in a session of its own, of which this one is not the
    leader, so it can't get a terminal again.
    """
    if os.fork():
        os._exit(0)
    # Handlers, as a signal that is ignored would be ignored by the script as well, which has to hear Ctrl-C's signal
    # from its own tools.
    signal.signal(signal.SIGHUP, _go_on)
    signal.signal(signal.SIGINT, _go_on)
    adopt_orphans()


def adopt_orphans(*, wanted: bool = True) -> None:
    """Become the parent of every descendant whose own parent ends; only Linux has this."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)


def let_go_of_streams(log: str) -> None:
    """Close the pipes to the process that asked; what is written to standard error goes to a file from now on."""
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:
        # A disk that takes no log must not keep the run from being ended with that reason.
        file = os.dup(nothing)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(file, 2)
    os.close(nothing)
    os.close(file)


def _go_on(*_: object) -> None:
    """Do nothing."""
