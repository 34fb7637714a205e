"""Trees of files by content."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

__all__ = ["MOST_PARTS", "PART_BYTES", "BlobParts", "FileEntry", "FileSetRecord", "MissingBlobs", "StoredFile"]

# A blob that is sent in parts is cut after each so many bytes. What is lost with a connection is at most one of them,
# and a server holds some in memory: it must never change, as clients and servers of other versions count by it.
PART_BYTES = 8 << 20
MOST_PARTS = 100_000


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


@attrs.frozen(kw_only=True)
class BlobParts:
    """How much of a blob has come.

    Args:
        sizes: Of the parts that are there, in bytes, by number. Part 0 begins the blob; each has `PART_BYTES` bytes,
            the last one 1 to `PART_BYTES`.
        stored: Whether the blob is stored, so that nothing of it need be sent.
    """

    sizes: Mapping[str, int]
    stored: bool


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
