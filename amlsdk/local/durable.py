"""What has been committed, safe from a power cut."""

from __future__ import annotations

import contextlib
import os

from amlsdk.local.handling import Local
from amlsdk.records.workspaces import CATALOGUE

__all__ = ["wait_for_disk"]


def wait_for_disk(local: Local) -> None:
    """Wait until the disk has all that was committed: before a journal is removed, which is the only other copy."""
    if local.database.dialect != "sqlite":
        return
    # The catalogue doesn't wait for its own log (synchronous=NORMAL).
    with contextlib.suppress(FileNotFoundError), (local.folder / f"{CATALOGUE}-wal").open("rb") as log:
        os.fsync(log.fileno())
