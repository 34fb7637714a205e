"""Trees of files by content."""

from __future__ import annotations

import attrs

__all__ = ["FileEntry", "FileSetRecord", "MissingBlobs", "StoredFile"]


@attrs.frozen(kw_only=True)
class FileEntry:
    """One file of a tree.

    Args:
        path: Relative, with `/`, never `..`; compared byte by byte.
        digest: SHA-256 of the content, 64 hexadecimal digits; for a link, of its target.
        size_bytes: Of the content.
        mode: `file`, `executable` or `link` (a symbolic link that stays inside the tree; its content is the target).
    """

    path: str
    digest: str
    size_bytes: int
    mode: str = "file"


@attrs.frozen(kw_only=True)
class FileSetRecord:
    """A tree of files.

    Args:
        digest: SHA-256 of the canonical listing, so that equal trees have equal digests.
        entries: Sorted by path.
    """

    digest: str
    entries: tuple[FileEntry, ...]

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(entry.size_bytes for entry in self.entries)


@attrs.frozen(kw_only=True)
class MissingBlobs:
    """Which of the digests asked about are not stored.

    Args:
        digests: In the order asked.
    """

    digests: tuple[str, ...]


@attrs.frozen
class StoredFile:
    """A file whose content is stored.

    Args:
        digest: SHA-256 of what was stored.
        size_bytes: Of what was stored.
        is_new: Whether it was not stored before.
    """

    digest: str
    size_bytes: int
    is_new: bool
