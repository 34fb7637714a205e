"""Blobs that come in parts, in a folder: each part is written to its place in the file that becomes the blob."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import attrs

from amlsdk.errors import Conflict
from amlsdk.records.filesets import PART_BYTES
from amlsdk.records.streams import CHUNK
from amlsdk.storage.blobs.base import check_parts, count_part
from amlsdk.storage.blobs.copying import disk_errors, write_all
from amlsdk.storage.blobs.drafts import Draft
from amlsdk.storage.blobs.locks import locked
from amlsdk.storage.blobs.verifying import mismatch

__all__ = ["Parts"]

_CONTENT = "content"
_NUMBER = re.compile(r"[0-9]{1,6}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@attrs.frozen
class Parts:
    """Unfinished blobs, each a folder named by its digest.

    It has the file `content`, with holes where parts are missing, and for each part that is there an empty file with
    its number as name and its size as length. Whoever writes to `content` holds a shared lock of it, whoever finishes
    or removes it the exclusive one: once a blob is verified nobody writes to it.

    Args:
        folder: Where they are, on the file system of the blobs.
    """

    folder: str

    def put(self, digest: str, number: int, content: Iterable[bytes]) -> None:
        """Write a part to its place.

        Raises:
            InvalidArgument: It has a size that no part has.
            Unavailable: The disk refuses.
        """
        with self._entered(digest) as (place, file):
            size, at = 0, number * PART_BYTES
            for chunk in count_part(number, content):
                # Only the writing: what the content itself meets is no fault of this disk.
                with disk_errors(self._doing()):
                    file.seek(at + size)
                    write_all(file, chunk)
                size += len(chunk)
            _begin_to_sync(file, at, size)
            # Not emptied first: to whoever looks meanwhile, a part that is sent again is there.
            with disk_errors(self._doing()), _open(place / str(number)) as mark:
                mark.truncate(size)

    def sizes(self, digest: str) -> dict[int, int]:
        """Return the sizes of the parts that are there."""
        try:
            with os.scandir(self._place(digest)) as entries:
                found = {entry.name: entry.stat().st_size for entry in entries if _NUMBER.fullmatch(entry.name)}
        except FileNotFoundError:
            return {}
        return {int(name): size for name, size in sorted(found.items(), key=lambda item: int(item[0])) if size}

    @contextlib.contextmanager
    def joined(self, digest: str, parts: int) -> Iterator[Draft]:
        """Give a file of all parts, verified, which may be moved away; none of the parts is kept.

        Raises:
            Conflict: Some are missing; those that are there are kept.
            InvalidArgument: They have another digest.
        """
        check_parts(digest, self.sizes(digest), parts)
        with self._entered(digest, alone=True) as (place, file):
            sizes = self.sizes(digest)
            try:
                check_parts(digest, sizes, parts)
            except Conflict:
                if not sizes:
                    # Somebody else has finished it, and this place was made by asking for it.
                    shutil.rmtree(place, ignore_errors=True)
                raise
            try:
                yield self._whole(digest, place, file, (parts - 1) * PART_BYTES + sizes[parts - 1])
            finally:
                shutil.rmtree(place, ignore_errors=True)

    def discard(self, digest: str) -> None:
        """Remove the parts of a blob; none being there is no error."""
        if self._place(digest).exists():
            with self._entered(digest, alone=True) as (place, _):
                shutil.rmtree(place, ignore_errors=True)

    def remove_older(self, older_than_s: float) -> int:
        """Remove unfinished blobs of which nothing came for so long; return how many."""
        removed, now = 0, time.time()
        with contextlib.suppress(FileNotFoundError):
            for digest in filter(_DIGEST.fullmatch, sorted(os.listdir(self.folder))):  # noqa: PTH208
                with contextlib.suppress(FileNotFoundError), disk_errors(f"parts of {digest} can't be looked up"):
                    place = self._place(digest)
                    newest = max(path.stat().st_mtime for path in (place, *place.iterdir()))
                    if now - newest >= older_than_s:
                        self.discard(digest)
                        removed += 1
        return removed

    @contextlib.contextmanager
    def _entered(self, digest: str, *, alone: bool = False) -> Iterator[tuple[Path, BinaryIO]]:
        place = self._place(digest)
        while True:
            with disk_errors(self._doing()):
                file = _opened(place)
            with file, locked(file, alone=alone):
                # Until the lock was had, somebody else may have finished the blob, or removed it.
                if _is_there(place, file):
                    yield place, file
                    return

    def _whole(self, digest: str, place: Path, file: BinaryIO, size: int) -> Draft:
        with disk_errors(self._doing()):
            file.truncate(size)
            file.seek(0)
            sha = hashlib.sha256()
            while chunk := file.read(CHUNK):
                sha.update(chunk)
            if sha.hexdigest() != digest:
                raise mismatch("what the parts make", found=sha.hexdigest(), size=size, digest=digest)
            path = place / _CONTENT
            path.chmod(path.stat().st_mode & 0o555)
            # The last part may have come long ago, and a blob is young when it is stored.
            os.utime(path)
        return Draft(path=os.fspath(path), digest=digest, size_bytes=size)

    def _place(self, digest: str) -> Path:
        return Path(self.folder, digest)

    def _doing(self) -> str:
        return f"parts of blobs can't be written to {self.folder!r}"


def _opened(place: Path) -> BinaryIO:
    while True:
        place.mkdir(parents=True, exist_ok=True)
        # Removed in between by whoever finishes the blob.
        with contextlib.suppress(FileNotFoundError):
            return _open(place / _CONTENT)


def _open(path: Path) -> BinaryIO:
    # Made where it is not there, and neither truncated nor appended to.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    return os.fdopen(descriptor, "r+b", buffering=0)


def _begin_to_sync(file: BinaryIO, at: int, size: int) -> None:
    if hasattr(os, "posix_fadvise"):
        # On Linux this has dirty pages written while further parts come, so that the sync in the end has little left.
        with contextlib.suppress(OSError):
            os.posix_fadvise(file.fileno(), at, size, os.POSIX_FADV_DONTNEED)


def _is_there(place: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), (place / _CONTENT).stat())
    except FileNotFoundError:
        return False
