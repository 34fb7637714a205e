"""Lines that wait in memory because the disk refused them."""

from __future__ import annotations

import re
from collections import Counter

from amlsdk.journal.text import MAX_LINE

__all__ = ["BACKLOG_BYTES", "Backlog"]

BACKLOG_BYTES = 64 << 20
# Kept free for the lines that say how a run ended.
_RESERVE = MAX_LINE
_KIND = re.compile(rb'^\{"v":\d+,"k":"(\w+)"', re.MULTILINE)


class Backlog:
    """Whole lines in order, up to a limit; the newest beyond it are dropped and counted."""

    def __init__(self) -> None:
        self._lines = bytearray()
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, lines: bytes, *, vital: bool = False) -> None:
        """Keep lines; `vital` ones also where others are dropped."""
        limit = BACKLOG_BYTES if vital else BACKLOG_BYTES - _RESERVE
        if len(self._lines) + len(lines) <= limit:
            self._lines += lines
        else:
            self._dropped += lines.count(b"\n")

    def put_first(self, line: bytes) -> None:
        """Put a line before all others."""
        self._lines[:0] = line

    def head(self) -> bytes:
        """Return some of the oldest lines, whole ones."""
        return bytes(self._lines[: self._lines.rfind(b"\n", 0, MAX_LINE) + 1])

    def remove(self, size_bytes: int) -> None:
        """Forget so many bytes of the oldest lines."""
        del self._lines[:size_bytes]

    def describe(self) -> str | None:
        """Say what waits and what was dropped; None where there is neither. What was dropped is said once."""
        kinds = Counter(kind.decode() for kind in _KIND.findall(self._lines))
        waiting = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        if self._lines and not waiting:
            waiting = "the end of a line"
        parts = [f"{waiting} (still in memory)"] if waiting else []
        if self._dropped:
            parts.append(f"{self._dropped} lines (dropped, {BACKLOG_BYTES >> 20} MiB were waiting already)")
            self._dropped = 0
        return " and ".join(parts) or None
