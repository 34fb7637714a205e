"""`python -m amlsdk.execution`: begun by a client, see `amlsdk.resources.launching`."""

from __future__ import annotations

import json
import os
import sys

from amlsdk.execution.detaching import detach


def main() -> None:
    """Say who this is, hear what to do, and do it."""
    detach()
    if not _say_identity():
        return
    # Loaded while the client takes its snapshot, so that it costs the run nothing.
    from amlsdk.execution.handover import Handover
    from amlsdk.execution.supervisor import drive_all

    line = sys.stdin.readline()
    # Whoever asked may be gone, before it wrote or in the middle of it.
    handover = Handover.of(json.loads(line)) if line.endswith("\n") else None
    if handover is not None:
        drive_all(handover)


def _say_identity() -> bool:
    from amlsdk.processes import this_process

    identity = this_process()
    fields = {name: getattr(identity, name) for name in ("host", "boot_id", "pid", "started")}
    try:
        os.write(1, json.dumps({"identity": fields}).encode() + b"\n")
    except BrokenPipeError:
        return False
    return True


if __name__ == "__main__":
    main()
