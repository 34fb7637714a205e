"""What is in a layer: files, links and folders, by content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import attrs

from amlsdk.errors import OperationFailed
from amlsdk.filesets.paths import folders_of
from amlsdk.images.knownfiles import KnownFiles
from amlsdk.records.streams import ByteStream

__all__ = ["Item", "bytes_item", "file_item", "folder_item", "link_item", "with_folders"]


@attrs.frozen(kw_only=True)
class Item:
    """An entry of a layer.

    Args:
        path: In the image, without `/` before.
        kind: `file`, `link` or `folder`.
        mode: Permissions.
        digest: SHA-256 of the content of a file.
        size_bytes: Of the content of a file.
        target: Of a link.
        read: Reads the content of a file, verified.
    """

    path: str
    kind: str = "file"
    mode: int = 0o644
    digest: str = ""
    size_bytes: int = 0
    target: str = ""
    read: Callable[[], Iterable[bytes]] = attrs.field(default=tuple, repr=False, eq=False)

    def key(self) -> tuple[str, str, int, str, str]:
        """Return what makes it different from others."""
        return self.path, self.kind, self.mode, self.digest, self.target


def folder_item(path: str, *, mode: int = 0o755) -> Item:
    """Return a folder."""
    return Item(path=path, kind="folder", mode=mode)


def link_item(path: str, target: str) -> Item:
    """Return a symbolic link."""
    return Item(path=path, kind="link", mode=0o777, target=target)


def bytes_item(path: str, content: bytes) -> Item:
    """Return a file that is in memory."""
    return Item(path=path, digest=hashlib.sha256(content).hexdigest(), size_bytes=len(content), read=lambda: (content,))


def file_item(path: str, location: str, known: KnownFiles, *, executable: bool = False) -> Item:
    """Return a file of this machine.

    Raises:
        OperationFailed: It is gone.
    """
    digest, size = known.digest(location)
    return Item(
        path=path,
        mode=0o755 if executable else 0o644,
        digest=digest,
        size_bytes=size,
        read=lambda: _unchanged(location, digest, size),
    )


def with_folders(items: Iterable[Item]) -> list[Item]:
    """Return items in the order of a layer: sorted by path, each folder that they lie in before them."""
    by_path = {item.path: item for item in items}
    for folder in folders_of(by_path):
        by_path.setdefault(folder, folder_item(folder))
    return [by_path[path] for path in sorted(by_path)]


def _unchanged(location: str, digest: str, size: int) -> Iterator[bytes]:
    sha = hashlib.sha256()
    for chunk in ByteStream.from_file(location, stop=size):
        sha.update(chunk)
        yield chunk
    if sha.hexdigest() != digest:
        raise OperationFailed(f"{location!r} changed while it was read; build the image again")
