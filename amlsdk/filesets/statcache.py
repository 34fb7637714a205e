"""Digests known from last time, by the state a file had."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import Any

import attrs

from amlsdk.filesets.walk import FoundFile

__all__ = ["StatCache"]

_VERSION = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
# A file may change twice within one tick of the file system's clock and look unchanged (git calls such entries
# racy). FAT has the coarsest ticks: two seconds.
_RACY_NS = 2_000_000_000


@attrs.frozen
class StatCache:
    """The digests of a folder's files as they were last hashed, in a file that may be lost at any time.

    Args:
        path: The file; None keeps nothing.
        known: Size, times and inode, and the digest, by path.
    """

    path: Path | None
    known: dict[str, list[Any]]

    @classmethod
    def load(cls, folder: Path | None, root: Path) -> StatCache:
        """Read what is known of the files below `root`; an unreadable cache knows nothing."""
        if folder is None:
            return cls(None, {})
        name = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:32]
        path = folder / f"stat-{name}.json"
        return cls(path, _read(path))

    def digest(self, file: FoundFile) -> str | None:
        """Return the digest of a file that has not changed since it was hashed."""
        entry = self.known.get(file.path)
        if not isinstance(entry, list) or tuple(entry[:-1]) != file.state:
            return None
        digest = entry[-1]
        return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None

    def save(self, files: list[tuple[FoundFile, str]], *, hashed_at_ns: int) -> None:
        """Replace what is known; those changed shortly before they were hashed are not trusted next time.

        Args:
            files: Files with their digests.
            hashed_at_ns: When the first of them was hashed, by the system's clock, Unix nanoseconds.
        """
        if self.path is None:
            return
        import orjson

        before = hashed_at_ns - _RACY_NS
        known = {
            file.path: [*file.state, digest] for file, digest in files if max(file.state[1], file.state[2]) < before
        }
        if known != self.known:
            _replace(self.path, orjson.dumps({"version": _VERSION, "files": known}))


def _read(path: Path) -> dict[str, list[Any]]:
    import orjson

    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        return {}
    files = content.get("files")
    return files if isinstance(files, dict) else {}


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    # Only speed is lost with it: a disk that is full or read-only must not stop the snapshot.
    with contextlib.suppress(OSError):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
