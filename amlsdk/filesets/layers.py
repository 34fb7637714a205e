"""Layers of images, unpacked from the blob store into a cache without trusting them."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from amlsdk.errors import AmlError, InvalidArgument, OperationFailed, Unavailable
from amlsdk.filesets.blobs import Blobs
from amlsdk.filesets.checkout import make_link
from amlsdk.filesets.layerstream import LayerStream
from amlsdk.filesets.links import check_links
from amlsdk.filesets.paths import check_path, check_tree
from amlsdk.filesets.removing import remove_tree
from amlsdk.records.images import LayerRecord

__all__ = ["unpack_layer"]

_MOST_MEMBERS = 1_000_000


def unpack_layer(layer: LayerRecord, blobs: Blobs, cache: Path) -> Path:
    """Return the folder with the files of a layer, unpacking it where that was not done before.

    Threads and processes may ask for one layer at once. The folder is there whole or not at all; whoever uses it must
    not write to it.

    Args:
        layer: As its image has it.
        blobs: Where its blob is.
        cache: Folder of what may be lost; the tree is in `layers/<digest>` below it.

    Raises:
        NotFound: The blob is not stored.
        OperationFailed: The blob is damaged, or is not the layer that was recorded.
        InvalidArgument: It has a member that leaves the folder, or is no file, folder or link; the message names it.
        Unavailable: The cache can't be written.
    """
    folder = cache / "layers" / layer.digest
    if folder.is_dir():
        if _size_of(folder) == layer.unpacked_bytes:
            return folder
        # After a loss of power, file systems show lost bytes as empty files.
        remove_tree(folder)
    draft = folder.with_name(f".aml-{secrets.token_hex(8)}")
    try:
        draft.mkdir(parents=True)
        with LayerStream(blobs, layer.digest) as stream:
            _Unpacking(draft, layer).run(stream)
        _give_name(draft, folder)
    except OSError as error:
        raise Unavailable(f"layer {layer.digest} can't be unpacked into {os.fspath(cache)!r}: {error}") from error
    finally:
        remove_tree(draft)
    return folder


@attrs.define
class _Unpacking:
    root: Path
    layer: LayerRecord
    size_bytes: int = 0
    members: int = 0
    files: set[str] = attrs.field(factory=set)
    links: dict[str, str] = attrs.field(factory=dict)
    made: set[str] = attrs.field(factory=set)

    def run(self, stream: LayerStream) -> None:
        try:
            for member in stream.members():
                self._take(stream, member)
        except (tarfile.TarError, EOFError) as error:
            raise self._wrong(f"is no tar archive: {error}") from error
        if stream.finish() != self.layer.diff_id or self.size_bytes != self.layer.unpacked_bytes:
            raise self._wrong("holds another archive than was recorded")
        check_tree([*self.files, *self.links])
        check_links(self.links)
        for path, target in self.links.items():
            self._make_folder(path.rpartition("/")[0])
            make_link(self.root / path, target)

    def _take(self, stream: LayerStream, member: tarfile.TarInfo) -> None:
        self.members += 1
        if self.members > _MOST_MEMBERS:
            raise self._wrong(f"has more than {_MOST_MEMBERS} members")
        path = member.name.removeprefix("./").rstrip("/")
        if path in {"", "."} and member.isdir():
            return
        check_path(path if not member.name.startswith("/") else member.name)
        if path in self.files or path in self.links:
            raise InvalidArgument(f"layer {self.layer.digest} has {path!r} twice; each path may be there once")
        if member.isdir():
            self._make_folder(path)
        elif member.issym():
            self.links[path] = member.linkname
        elif member.isreg() and not member.issparse():
            self._write(path, member, stream.content(member))
        else:
            raise InvalidArgument(f"layer {self.layer.digest} has {path!r}, which is no file, folder or symbolic link")

    def _write(self, path: str, member: tarfile.TarInfo, content: Iterator[bytes]) -> None:
        self.size_bytes += member.size
        if self.size_bytes > self.layer.unpacked_bytes:
            raise self._wrong(f"has more than the {self.layer.unpacked_bytes} bytes that were recorded")
        self._make_folder(path.rpartition("/")[0])
        mode = 0o755 if member.mode & 0o100 else 0o644
        try:
            file = os.open(self.root / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        except FileExistsError as error:
            raise self._both(path) from error
        try:
            for chunk in content:
                left = memoryview(chunk)
                while left:
                    left = left[os.write(file, left) :]
        finally:
            os.close(file)
        self.files.add(path)

    def _make_folder(self, path: str) -> None:
        if not path or path in self.made:
            return
        try:
            # Links are made last, so no folder is one.
            (self.root / path).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise self._both(path) from error
        self.made.add(path)

    def _both(self, path: str) -> AmlError:
        return InvalidArgument(f"layer {self.layer.digest} has {path!r} both as a file and as a folder")

    def _wrong(self, what: str) -> AmlError:
        return OperationFailed(f"layer {self.layer.digest} {what}; build the image again")


def _give_name(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError as error:
        # Somebody else was quicker: equal digests are equal trees.
        if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
            raise


def _size_of(folder: Path) -> int:
    size = 0
    waiting: list[Any] = [folder]
    with contextlib.suppress(FileNotFoundError):
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        size += entry.stat(follow_symlinks=False).st_size
    return size
