"""Journals that nobody will write again, though they have no last line."""

from __future__ import annotations

import time
from pathlib import Path

from amlsdk.journal.digests import PrefixDigest
from amlsdk.journal.folder import read_from
from amlsdk.journal.lines import parse_batch
from amlsdk.local.positions import Position
from amlsdk.processes import identity_of

__all__ = ["is_abandoned", "is_copy"]

_FIRST_LINE = 4096
_CHUNK = 1 << 20
_NEW_S = 60.0


def is_abandoned(path: Path) -> bool:
    """Say of a journal whose lock is free whether its writer is dead for sure.

    Some network file systems have no locks, or none that other machines see: there only a last line tells.
    """
    head = read_from(path, 0, _FIRST_LINE)
    if not head:
        # Between its creation and its lock, a journal is empty for a moment.
        return time.time() - path.stat().st_mtime > _NEW_S
    begin = next((entry.data for entry in parse_batch(head, first_offset=0).others if entry.kind == "begin"), None)
    if begin is None:
        return True
    writer = identity_of(begin["p"])
    return bool(begin["h"] == writer.host and not writer.started)


def is_copy(path: Path, of: Position) -> bool:
    """Say whether a file begins with the bytes that were applied under its name."""
    digest = PrefixDigest()
    while digest.offset < of.offset and (data := read_from(path, digest.offset, _CHUNK)):
        digest.update(data[: of.offset - digest.offset])
    return digest.hexdigest() == of.digest().hexdigest()
