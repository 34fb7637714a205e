"""What a tree of files needs of the place that keeps its blobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from amlsdk.records.filesets import StoredFile
from amlsdk.records.streams import ByteStream

__all__ = ["Blobs"]


class Blobs(Protocol):
    """The part of a blob store that trees use; every `BlobStore` has it, and so may a client of a service."""

    def missing(self, digests: Iterable[str]) -> tuple[str, ...]:
        """Return those of the digests that are not stored, each once."""

    def put(self, digest: str, content: ByteStream) -> int:
        """Store bytes that have this digest and return how many there are."""

    def put_files(self, paths: Sequence[Path]) -> dict[Path, StoredFile]:
        """Store what is new of many files and return what each had; one that is gone is left out."""

    def open(self, digest: str, *, start: int = 0) -> ByteStream:
        """Return the bytes that have this digest, verified while they are read."""

    def copy_to(self, digest: str, path: str | Path) -> None:
        """Write the bytes that have this digest to a file, verified before it gets its name."""
