"""Run as a file: becomes the program it is given, after tying its life to that of its parent (Linux).

A program of its own, because between a fork and an exec nothing may run that needs a lock, and the process that
starts scripts has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

__all__: list[str] = []

_PR_SET_PDEATHSIG = 1


def main(parent: str, program: str, *arguments: str) -> None:
    """Replace this process by a program that is killed when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # It may have ended before it was tied to.
    if os.getppid() == int(parent):
        os.execv(program, [program, *arguments])  # noqa: S606  # an argument list, no shell


if __name__ == "__main__":
    main(*sys.argv[1:])
