"""What every blob store promises."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from amlsdk.errors import InvalidArgument
from amlsdk.records.filesets import StoredFile
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.copying import write_all, write_beside
from amlsdk.storage.blobs.putting import put_missing

__all__ = ["BlobStore", "check_digest"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


def check_digest(digest: str) -> str:
    """Return a digest that may become part of a path or an address.

    Raises:
        InvalidArgument: It is not 64 hexadecimal digits in lower case.
    """
    if not isinstance(digest, str) or _DIGEST.fullmatch(digest) is None:
        raise InvalidArgument(f"{digest!r:.100} is no digest of a blob: 64 of the digits 0-9 a-f")
    return digest


class BlobStore(ABC):
    """Immutable bytes under their SHA-256 digests.

    The contract, which `amlsdk.testing.blob_store_case.BlobStoreTestCase` tests:

    - A blob is there whole or not at all: whoever is killed while storing leaves none under a name.
    - A call that stores returns when the blob would survive the loss of power.
    - What is stored is checked against its digest; what is read from the start is checked again, so that a
      damaged blob is an error that names it and never a complete, silently wrong result.
    - Storing what is there already is no error, and costs no second copy.
    - Being stored, or found by `missing`, marks a blob as used: its `modified_at` is then less than an hour
      old. Whoever collects garbage leaves blobs alone that are younger than two hours, so that none goes
      between being found and being referred to.
    - Threads and processes may share a store. Methods that meet a full, read-only or absent store raise
      `Unavailable`; a digest that is none is `InvalidArgument` everywhere.
    """

    @abstractmethod
    def missing(self, digests: Iterable[str]) -> tuple[str, ...]:
        """Return those of the digests that are not stored, each once, in the order asked."""

    @abstractmethod
    def put(self, digest: str, content: ByteStream) -> int:
        """Store a stream of bytes and return how many there are.

        Raises:
            InvalidArgument: The content has another digest; nothing is kept.
        """

    @abstractmethod
    def put_file(self, path: str | Path, *, digest: str | None = None) -> tuple[str, int]:
        """Store a file and return the digest and size of what was stored, also if it changed meanwhile.

        Args:
            path: A regular file, not a link.
            digest: What the content is expected to have.

        Raises:
            NotFound: There is no such file.
            InvalidArgument: The file can't be read, or has another digest than expected; nothing is kept.
        """

    def put_files(self, paths: Sequence[Path]) -> dict[Path, StoredFile]:
        """Store what is new of many files and return what each had; one that is gone meanwhile is left out.

        Raises:
            InvalidArgument: A file can't be read; the message names it.
        """
        return put_missing(self, paths)

    @abstractmethod
    def open(self, digest: str, *, start: int = 0) -> ByteStream:
        """Return the content of a blob, from the byte `start`.

        The stream raises `OperationFailed`, naming the digest, before it hands out the last bytes of a
        damaged blob. With `start` above 0 it can't know, and who reads so must check the whole.

        Raises:
            NotFound: No blob has this digest.
            InvalidArgument: `start` lies outside of the blob.
        """

    def copy_to(self, digest: str, path: str | Path) -> None:
        """Write a blob to a file, which is replaced if it exists and is never seen unfinished or damaged.

        Raises:
            NotFound: No blob has this digest.
            OperationFailed: The stored bytes are damaged; no file is left.
        """
        content = self.open(digest)
        with write_beside(path) as target:
            for chunk in content:
                write_all(target, chunk)

    @abstractmethod
    def size(self, digest: str) -> int:
        """Return how many bytes a blob has.

        Raises:
            NotFound: No blob has this digest.
        """

    @abstractmethod
    def digests(self) -> Iterator[tuple[str, int, float]]:
        """Iterate over digest, size in bytes and time of last use (seconds since 1970) of all blobs."""

    @abstractmethod
    def delete(self, digest: str) -> None:
        """Delete a blob; none being there is no error."""

    @abstractmethod
    def remove_leftovers(self, *, older_than_s: float = 86_400) -> int:
        """Remove what killed processes left while storing; return how many things that were.

        Args:
            older_than_s: Age in seconds below which something may still be being written.
        """
