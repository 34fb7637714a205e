"""What a folder of journals holds."""

from __future__ import annotations

import os
import re
from pathlib import Path

import attrs

from amlsdk.journal.locks import is_locked

__all__ = ["JournalFile", "is_locked", "outstanding", "read_from", "remove"]

_NAME = re.compile(r"([0-9a-z]{26})\.([0-9a-f]{16})\.jsonl")


@attrs.frozen
class JournalFile:
    """A journal in a folder.

    Args:
        path: The file.
        run_id: The run that it tells of.
        writer: Who wrote it.
    """

    path: Path
    run_id: str
    writer: str

    @classmethod
    def at(cls, path: Path) -> JournalFile | None:
        """Return what the name of a file says; None where it is not one of a journal."""
        match = _NAME.fullmatch(path.name)
        return cls(path, match[1], match[2]) if match else None


def outstanding(folder: Path, run_id: str | None = None) -> list[JournalFile]:
    """Return the journals of a folder, or of one run in it, by name; none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            # Opening a pipe would wait for ever, and a link may lead to anything: journals are regular files.
            found = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    names = sorted(name for name in found if run_id is None or name.startswith(run_id))
    files = (JournalFile.at(folder / name) for name in names)
    return [file for file in files if file is not None and run_id in (None, file.run_id)]


def read_from(path: Path, offset: int, limit: int) -> bytes:
    """Return at most so many bytes of a journal; fewer only at its present end, none where it is gone."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # unbuffered: it is one read
            file.seek(offset)
            parts = []
            while limit > 0 and (part := file.read(limit)):
                parts.append(part)
                limit -= len(part)
            return b"".join(parts)
    except FileNotFoundError:
        return b""


def remove(path: Path) -> None:
    """Delete a journal; does nothing where it is gone already."""
    path.unlink(missing_ok=True)
