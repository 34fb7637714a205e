"""The first words of a detached process with the one that began it: `amlsdk.processes.launching` is the other side."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from amlsdk.processes.detaching import detach
from amlsdk.processes.identity import this_process

__all__ = ["hear", "say_identity"]


def say_identity() -> bool:
    """Leave the process behind that was started, and say who goes on; False where nobody listens any more."""
    detach()
    identity = this_process()
    fields = {name: getattr(identity, name) for name in ("host", "boot_id", "pid", "started")}
    try:
        os.write(1, json.dumps({"identity": fields}).encode() + b"\n")
    except BrokenPipeError:
        return False
    return True


def hear() -> dict[str, Any] | None:
    """Return what this process is to do, or None: whoever asked may be gone, before it wrote or in the middle of it."""
    line = sys.stdin.readline()
    message: dict[str, Any] | None = json.loads(line) if line.endswith("\n") else None
    return message
