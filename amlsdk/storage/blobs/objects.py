"""Blobs as objects of a store elsewhere: what is the same whatever keeps them."""

from __future__ import annotations

import re
import secrets
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import attrs

from amlsdk.errors import Conflict, InvalidArgument, NotFound, OperationFailed
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.base import BlobStore, check_digest, check_part, check_parts, count_part
from amlsdk.storage.blobs.copying import digest_of_file
from amlsdk.storage.blobs.verifying import absent, matching, mismatch, verified

__all__ = ["USED_AGAIN_AFTER_S", "Found", "ObjectBlobStore"]

T = TypeVar("T")
R = TypeVar("R")

_DIGEST = re.compile(r"[0-9a-f]{64}")
USED_AGAIN_AFTER_S = 1800
# What is elsewhere is waited for rather than worked for.
_PARALLEL = 16
_ROUNDS = 3


@attrs.frozen(kw_only=True)
class Found:
    """An object that is there.

    Args:
        size_bytes: Of its content.
        used_at: When it was last written or marked as used, in seconds since 1970.
    """

    size_bytes: int
    used_at: float


class ObjectBlobStore(BlobStore):
    """A blob store over named objects: `blobs/<digest>`, and `parts/<digest>/<number>` for what is unfinished.

    A subclass says how objects are written, read, found and removed, and turns all that its store refuses into
    `Unavailable`. Names have no `..` and only the characters `a-z`, `0-9`, `-` and `/`.
    """

    @abstractmethod
    def _write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write an object whole or not at all, in the place of one that may be there; errors of the chunks pass."""

    @abstractmethod
    def _read(self, name: str, start: int) -> Iterator[bytes]:
        """Iterate over an object from a byte on; `NotFound`, whatever it says, where there is none."""

    @abstractmethod
    def _find(self, name: str) -> Found | None:
        """Look an object up."""

    @abstractmethod
    def _mark_used(self, name: str) -> bool:
        """Let an object count as used now; False where there is none."""

    @abstractmethod
    def _list(self, folder: str) -> Iterator[tuple[str, Found]]:
        """Iterate over what is below a name, without the name."""

    @abstractmethod
    def _remove(self, name: str, *, unless_used_since: float | None = None) -> bool:
        """Remove an object; return whether it is gone. None being there is no error."""

    @abstractmethod
    def _place(self) -> str:
        """Return where the objects are, for messages."""

    def sizes(self, digests: Iterable[str]) -> dict[str, int]:  # noqa: D102
        asked = [check_digest(digest) for digest in dict.fromkeys(digests)]
        stored = zip(asked, self._each(self._touch, asked), strict=True)
        return {digest: size for digest, size in stored if size is not None}

    def put(self, digest: str, content: ByteStream) -> int:  # noqa: D102
        stored = self._touch(digest)
        if stored is not None and content.size_bytes in (None, stored):
            return stored
        return self._store(digest, content, what="the content sent")

    def put_file(self, path: str | Path, *, digest: str | None = None) -> tuple[str, int]:  # noqa: D102
        if digest is not None:
            check_digest(digest)
        what = f"the file {str(path)!r}"
        for _ in range(_ROUNDS):
            found, size = digest_of_file(path)
            if digest not in (None, found):
                raise mismatch(what, found=found, size=size, digest=str(digest))
            if self._touch(found) == size:
                return found, size
            try:
                return found, self._store(found, ByteStream.from_file(path, stop=size), what=what)
            except InvalidArgument:
                continue  # it changed between being read and being sent
        raise Conflict(f"{what} changes faster than it can be stored")

    def open(self, digest: str, *, start: int = 0) -> ByteStream:  # noqa: D102
        size = self.size(digest)
        if not 0 <= start <= size:
            raise InvalidArgument(f"blob {digest} has {size} bytes; it can't be read from byte {start}")
        if start:
            return ByteStream(begin=lambda: self._from(digest, start, size), size_bytes=size - start)
        return ByteStream(begin=lambda: self._verified(digest, size), size_bytes=size)

    def size(self, digest: str) -> int:  # noqa: D102
        found = self._find(_blob(digest))
        if found is None:
            raise absent(digest)
        return found.size_bytes

    def digests(self) -> Iterator[tuple[str, int, float]]:  # noqa: D102
        for name, found in self._list("blobs"):
            if _DIGEST.fullmatch(name):
                yield name, found.size_bytes, found.used_at

    def delete(self, digest: str, *, unless_used_since: float | None = None) -> bool:  # noqa: D102
        return self._remove(_blob(digest), unless_used_since=unless_used_since)

    def put_part(self, digest: str, number: int, content: ByteStream) -> None:  # noqa: D102
        check_part(number)
        if self._touch(digest) is None:
            self._write(_part(digest, number), count_part(number, content))

    def parts(self, digest: str) -> dict[int, int]:  # noqa: D102
        listed = self._list(f"parts/{check_digest(digest)}")
        return {int(name): found.size_bytes for name, found in sorted(listed) if name.isdecimal()}

    def finish(self, digest: str, parts: int) -> int:  # noqa: D102
        stored = self._touch(digest)
        if stored is not None:
            self._discard(digest)
            return stored
        check_parts(digest, self.parts(digest), parts)
        try:
            size = self._store(digest, self._joined(digest, parts), what="what the parts make")
        except (Conflict, NotFound):
            # Whoever was faster has removed the parts that were still being read here.
            stored = self._touch(digest)
            if stored is None:
                raise
            return stored
        except InvalidArgument:
            self._discard(digest)
            raise
        self._discard(digest)
        return size

    def remove_leftovers(self, *, older_than_s: float = 86_400) -> int:  # noqa: D102
        before = time.time() - older_than_s
        removed = 0
        for folder in ("parts", "drafts"):
            old = [f"{folder}/{name}" for name, found in self._list(folder) if found.used_at <= before]
            removed += sum(self._each(self._remove, old))
        return removed

    def _touch(self, digest: str) -> int | None:
        """Return the size of a blob, which counts as used from now on; None where it is not stored."""
        found = self._find(_blob(digest))
        if found is None:
            return None
        if time.time() - found.used_at > USED_AGAIN_AFTER_S and not self._mark_used(_blob(digest)):
            return None
        return found.size_bytes

    def _store(self, digest: str, content: Iterable[bytes], *, what: str) -> int:
        size = 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for chunk in matching(digest, content, what=what):
                size += len(chunk)
                yield chunk

        self._write(_blob(digest), counted())
        return size

    def _joined(self, digest: str, parts: int) -> Iterator[bytes]:
        for number in range(parts):
            yield from self._read(_part(digest, number), 0)

    def _discard(self, digest: str) -> None:
        self._each(self._remove, [_part(digest, number) for number in self.parts(digest)])

    def _from(self, digest: str, start: int, size: int) -> Iterator[bytes]:
        # Stores know no range that begins at the end.
        if start == size:
            return
        try:
            yield from self._read(_blob(digest), start)
        except NotFound as error:
            raise absent(digest) from error

    def _verified(self, digest: str, size: int) -> Iterator[bytes]:
        return verified(digest, self._from(digest, 0, size), damaged=lambda: self._damaged(digest))

    def _damaged(self, digest: str) -> OperationFailed:
        return OperationFailed(
            f"blob {digest} is damaged: the bytes in {self._place()} have another digest; "
            "delete it and store the content again"
        )

    def _each(self, function: Callable[[T], R], items: list[T]) -> list[R]:
        if len(items) < 2:  # noqa: PLR2004  # one needs no threads
            return [function(item) for item in items]
        with ThreadPoolExecutor(_PARALLEL, "amlsdk-blobs") as pool:
            return list(pool.map(function, items))

    def _draft(self) -> str:
        return f"drafts/{secrets.token_hex(16)}"


def _blob(digest: str) -> str:
    return f"blobs/{check_digest(digest)}"


def _part(digest: str, number: int) -> str:
    return f"parts/{check_digest(digest)}/{number:06}"
