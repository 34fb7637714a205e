"""What every blob store promises."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.records.filesets import MOST_PARTS, PART_BYTES, StoredFile
from amlsdk.records.names import listed
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.copying import write_all, write_beside
from amlsdk.storage.blobs.putting import put_missing

__all__ = ["BlobStore", "check_digest", "check_part", "check_parts", "count_part"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


def check_digest(digest: str) -> str:
    """Return a digest that may become part of a path or an address.

    Raises:
        InvalidArgument: It is not 64 hexadecimal digits in lower case.
    """
    if not isinstance(digest, str) or _DIGEST.fullmatch(digest) is None:
        raise InvalidArgument(f"{digest!r:.100} is no digest of a blob: 64 of the digits 0-9 a-f")
    return digest


def check_part(number: int) -> int:
    """Return the number of a part.

    Raises:
        InvalidArgument: A blob has no such part.
    """
    if not 0 <= number < MOST_PARTS:
        raise InvalidArgument(f"a blob has parts 0 to {MOST_PARTS - 1}, not {number}")
    return number


def count_part(number: int, content: Iterable[bytes]) -> Iterator[bytes]:
    """Hand on the bytes of a part.

    Raises:
        InvalidArgument: There are none, or more than a part has.
    """
    size = 0
    for chunk in content:
        size += len(chunk)
        if size > PART_BYTES:
            raise InvalidArgument(f"part {number} has more than {PART_BYTES} bytes; a part has at most so many")
        yield chunk
    if not size:
        raise InvalidArgument(f"part {number} is empty; a part has 1 to {PART_BYTES} bytes")


def check_parts(digest: str, sizes: Mapping[int, int], parts: int) -> None:
    """See that all parts of a blob have come, each but the last one full.

    Raises:
        InvalidArgument: A blob can't have so many.
        Conflict: Some are missing; the message names them.
    """
    if not 1 <= parts <= MOST_PARTS:
        raise InvalidArgument(f"a blob has 1 to {MOST_PARTS} parts, not {parts}")
    lacking = [number for number in range(parts) if not sizes.get(number)]
    lacking += [number for number in range(parts - 1) if 0 < sizes.get(number, 0) < PART_BYTES]
    if lacking:
        shown = listed(map(str, sorted(lacking)))
        raise Conflict(
            f"of blob {digest} there are not all {parts} parts, missing or too short is {shown}; send what is missing, "
            "then finish again"
        )


class BlobStore(ABC):
    """Immutable bytes under their SHA-256 digests.

    The contract, which `amlsdk.testing.blob_store_case.BlobStoreTestCase` tests:

    - A blob is there whole or not at all: whoever is killed while storing leaves none under a name.
    - A call that stores returns when the blob would survive the loss of power.
    - What is stored is checked against its digest; what is read from the start is checked again, so that a
      damaged blob is an error that names it and never a complete, silently wrong result.
    - Storing what is there already is no error, and costs no second copy.
    - Being stored, or found by `missing` or `sizes`, marks a blob as used: its `modified_at` is then less than an hour
      old. Whoever collects garbage leaves blobs alone that are younger than two hours, so that none goes
      between being found and being referred to.
    - A large blob may come in parts of `PART_BYTES` bytes, in any order and from several clients at once; parts
      are no blob before `finish` has seen that together they have the digest. Unlike a blob, a part may be lost with
      the power: `finish` tells.
    - Threads and processes may share a store. Methods that meet a full, read-only or absent store raise
      `Unavailable`; a digest that is none is `InvalidArgument` everywhere.
    """

    @abstractmethod
    def sizes(self, digests: Iterable[str]) -> dict[str, int]:
        """Return the sizes in bytes of those of the digests that are stored; these count as used now."""

    def missing(self, digests: Iterable[str]) -> tuple[str, ...]:
        """Return those of the digests that are not stored, each once, in the order asked; the others count as used."""
        asked = tuple(dict.fromkeys(digests))
        stored = self.sizes(asked)
        return tuple(digest for digest in asked if digest not in stored)

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
    def delete(self, digest: str, *, unless_used_since: float | None = None) -> bool:
        """Delete a blob; none being there is no error. Return whether it is gone.

        Args:
            digest: Of the blob.
            unless_used_since: A time (seconds since 1970): a blob that was used later stays, and False is returned.
        """

    @abstractmethod
    def put_part(self, digest: str, number: int, content: ByteStream) -> None:
        """Keep a part of a blob, in the place of one that may be there; nothing is done where the blob is stored.

        Args:
            digest: Of the whole blob.
            number: Of the part, from 0; it begins at the byte `number * PART_BYTES`.
            content: 1 to `PART_BYTES` bytes.

        Raises:
            InvalidArgument: There is no part of this number, or of this size.
        """

    @abstractmethod
    def parts(self, digest: str) -> dict[int, int]:
        """Return the sizes in bytes of the parts that are kept, by number; none where the blob is stored."""

    @abstractmethod
    def finish(self, digest: str, parts: int) -> int:
        """Make a blob of its parts and return its size; one that is stored already is no error.

        Args:
            digest: Of the blob.
            parts: How many parts it has.

        Raises:
            Conflict: Some of them are missing; the message names them.
            InvalidArgument: Together they have another digest; none of them is kept.
        """

    @abstractmethod
    def remove_leftovers(self, *, older_than_s: float = 86_400) -> int:
        """Remove parts, and what killed processes left while storing; return how many things that were.

        Args:
            older_than_s: Age in seconds below which something may still be being written, or sent.
        """

    def check(self) -> None:  # noqa: B027  # a store that needs nothing beforehand is right as it is
        """See that the place of the blobs is there and may be used.

        Raises:
            Unavailable: It is not; the message says what to do.
        """
