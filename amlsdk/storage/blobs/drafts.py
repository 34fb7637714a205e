"""Temporary files of a folder of blobs: written first, named when they are safe."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import attrs

from amlsdk.records.filesets import StoredFile
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.copying import copy_hashed, disk_errors, open_regular, read_small, write_all

__all__ = ["Draft", "Drafts"]


@attrs.frozen(kw_only=True)
class Draft:
    """A finished temporary file.

    Args:
        path: Where it is.
        digest: SHA-256 of what was written to it.
        size_bytes: Of what was written to it.
    """

    path: str
    digest: str
    size_bytes: int


@attrs.frozen
class Drafts:
    """The temporary files of one call; whatever still has its temporary name is removed at the end.

    Args:
        folder: Where they are made, on the file system of the blobs.
    """

    folder: str
    _made: list[str] = attrs.field(factory=list, init=False)

    def __enter__(self) -> Drafts:
        return self

    def __exit__(self, *_: object) -> None:
        for path in self._made:
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108  # thousands at once: a Path each costs more than the call

    def from_file(self, source: str | Path) -> Draft:
        """Copy a file."""
        with open_regular(source) as file:
            return self._copy(file)

    def from_file_unless(self, source: str | Path, is_stored: Callable[[str, int], bool]) -> Draft | StoredFile:
        """Copy a file, unless what it has is stored: of a small one that is known without writing it."""
        with open_regular(source) as file:
            content = read_small(file)
            if content is None:
                return self._copy(file)
            digest = hashlib.sha256(content).hexdigest()
            if is_stored(digest, len(content)):
                return StoredFile(digest, len(content), is_new=False)
            with self._new() as target:
                with disk_errors(self._doing()):
                    write_all(target, content)
                return Draft(path=os.fspath(target.name), digest=digest, size_bytes=len(content))

    def _copy(self, file: BinaryIO) -> Draft:
        with self._new() as target:
            with disk_errors(self._doing()):
                digest, size = copy_hashed(file, target)
            return Draft(path=os.fspath(target.name), digest=digest, size_bytes=size)

    def from_stream(self, content: ByteStream) -> Draft:
        """Write a stream."""
        sha, size = hashlib.sha256(), 0
        with self._new() as target:
            for chunk in content:
                sha.update(chunk)
                size += len(chunk)
                # Only the writing: what the stream itself meets is no fault of this disk.
                with disk_errors(self._doing()):
                    write_all(target, chunk)
            return Draft(path=os.fspath(target.name), digest=sha.hexdigest(), size_bytes=size)

    @contextlib.contextmanager
    def _new(self) -> Iterator[BinaryIO]:
        path = f"{self.folder}{os.sep}{os.getpid()}-{secrets.token_hex(8)}"
        with disk_errors(self._doing()):
            file = _create(path)
        self._made.append(path)
        with file:
            yield file

    def _doing(self) -> str:
        return f"blobs can't be written to {self.folder!r}"


def _create(path: str) -> BinaryIO:
    try:
        return _open_new(path)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return _open_new(path)


def _open_new(path: str) -> BinaryIO:
    # Read-only from the start: only this descriptor can write.
    return open(path, "xb+", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o444))
