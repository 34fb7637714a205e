"""A log that does not grow for ever: files that other processes append to, cut at their beginning."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["MOST_BYTES", "last_lines", "trim"]

MOST_BYTES = 50_000_000
_LINE_WITHIN = 65_536


def trim(path: Path, *, most_bytes: int = MOST_BYTES) -> int:
    """Remove the older half of a file that has become too large, to a whole line, and say so in its first line.

    Who has it open to append goes on. What is appended during the cut itself, some milliseconds, is lost.

    Returns:
        By how many bytes all that follows has moved towards the beginning; 0 where nothing was done.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    if size <= most_bytes:
        return 0
    with path.open("r+b") as file:
        file.seek(size - most_bytes // 2)
        kept = file.read()
        kept = kept[kept.find(b"\n", 0, _LINE_WITHIN) + 1 :]
        note = f"--- {size - len(kept)} older bytes of this log were removed ---\n".encode()
        # A reader sees an end too early, never a byte of another place; writers append from the new end on.
        os.ftruncate(file.fileno(), 0)
        file.seek(0)
        file.write(note + kept)
    return size - len(note) - len(kept)


def last_lines(path: Path, *, since: int = 0, most_lines: int = 30, most_bytes: int = 8192) -> str:
    """Return the last lines that were appended to a file from a position on; empty where there are none."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            # Where the file was cut meanwhile, its end is all that is known.
            file.seek(max(since if since <= end else 0, end - most_bytes))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-most_lines:])
