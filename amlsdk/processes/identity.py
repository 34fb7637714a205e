"""Who a process is, so that it can't be taken for a later one with its number."""

from __future__ import annotations

import functools
import os
import socket
import sys
import uuid
from pathlib import Path

from amlsdk.records.jobs import ProcessIdentity

__all__ = ["identity_of", "is_gone", "this_process"]

_LINUX = sys.platform == "linux"


def this_process() -> ProcessIdentity:
    """Return the identity of the calling process (of the child, after a fork)."""
    return _identity_once(os.getpid())


# By number, as a forked child has another one. Looking takes a fifth of the time that recording a run does.
@functools.lru_cache(maxsize=1)
def _identity_once(pid: int) -> ProcessIdentity:
    return identity_of(pid)


def identity_of(pid: int) -> ProcessIdentity:
    """Return the identity of a process of this machine; `started` is empty where there is no such process."""
    return ProcessIdentity(host=_host(), boot_id=_boot_id(), pid=pid, started=_started(pid))


def is_gone(identity: ProcessIdentity) -> bool | None:
    """Say whether a process has ended; None where that can't be known from this machine."""
    if identity.host != _host():
        return None
    if identity.boot_id != _boot_id():
        return True
    return _started(identity.pid) != identity.started


@functools.cache
def _host() -> str:
    return socket.gethostname()


@functools.cache
def _boot_id() -> str:
    if _LINUX:
        # Containers share the boot id of their host, not its process numbers: the namespace tells them apart.
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116  # follows the magic link
    import psutil

    return f"{uuid.getnode():x}/{psutil.boot_time():.0f}"


def _started(pid: int) -> str:
    if _LINUX:
        return _started_linux(pid)
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return ""


def _started_linux(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  # on the path of every look at live runs
            # proc(5): the command, in parentheses, may hold anything; state is the field after it, start time the 22nd.
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
