"""Images of other tools as files by name: a folder or a tar archive, read without trusting either."""

from __future__ import annotations

import os
import tarfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.filesets.paths import check_path
from amlsdk.records.streams import CHUNK

__all__ = ["DAMAGED", "Source", "open_source"]

DAMAGED = (tarfile.TarError, zlib.error, EOFError, OSError)
_MOST_MEMBERS = 100_000
_MOST_TEXT = 16 << 20


class Source(ABC):
    """Files by name.

    Args:
        name: Of the place, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def has(self, path: str) -> bool:
        """Say whether there is such a file."""

    @abstractmethod
    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading.

        Raises:
            InvalidArgument: There is none, or it lies elsewhere.
        """

    def chunks(self, path: str) -> Iterator[bytes]:
        """Read a file.

        Raises:
            InvalidArgument: It can't be read.
        """
        try:
            with self.open(path) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except DAMAGED as error:
            raise InvalidArgument(f"{path!r} in {self.name} can't be read: {error}") from error

    def text(self, path: str) -> bytes:
        """Read a small file at once.

        Raises:
            InvalidArgument: It is none, or too big to be what it is said to be.
        """
        content = b""
        for chunk in self.chunks(path):
            content += chunk
            if len(content) > _MOST_TEXT:
                raise InvalidArgument(
                    f"{path!r} in {self.name} has more than {_MOST_TEXT} bytes; it is no JSON of an image"
                )
        return content

    @abstractmethod
    def close(self) -> None:
        """Close what is open."""


class _Folder(Source):
    def __init__(self, root: Path) -> None:
        super().__init__(f"the folder {os.fspath(root)!r}")
        self._root = root

    def has(self, path: str) -> bool:
        return (self._root / check_path(path)).is_file()

    def open(self, path: str) -> IO[bytes]:
        location = self._root / check_path(path)
        # A layout has no links; one could lead to any file of this machine, which then would be in the image.
        if os.path.realpath(location) != os.path.join(os.path.realpath(self._root), path):  # noqa: PTH118
            raise InvalidArgument(f"{path!r} in {self.name} is a link; an image layout has none")
        if not location.is_file():
            raise InvalidArgument(f"{self.name} has no file {path!r}; it is no complete image")
        return location.open("rb")

    def close(self) -> None:
        pass  # each file is closed by who opened it


class _Archive(Source):
    def __init__(self, path: Path) -> None:
        super().__init__(f"the archive {os.fspath(path)!r}")
        try:
            self._tar = tarfile.open(path, "r:*")  # noqa: SIM115  # closed by close
            self._members = self._index()
        except DAMAGED as error:
            raise InvalidArgument(
                f"{self.name} is damaged, or is no OCI archive and none of `docker save`: {error}"
            ) from error

    def _index(self) -> dict[str, tarfile.TarInfo]:
        members: dict[str, tarfile.TarInfo] = {}
        for member in self._tar:
            members[member.name.removeprefix("./")] = member
            if len(members) > _MOST_MEMBERS:
                raise InvalidArgument(f"{self.name} has more than {_MOST_MEMBERS} members; an image has few")
        return members

    def has(self, path: str) -> bool:
        return path in self._members

    def open(self, path: str) -> IO[bytes]:
        member = self._members.get(path)
        try:
            # Old versions of Docker save equal layers as links: these are looked up in the archive, nowhere else.
            file = None if member is None else self._tar.extractfile(member)
        except KeyError:
            file = None
        if file is None:
            raise InvalidArgument(f"{self.name} has no file {path!r}; it is no complete image")
        return file

    def close(self) -> None:
        self._tar.close()


def open_source(base: str) -> Source:
    """Open a folder or an archive.

    Raises:
        NotFound: There is neither.
        InvalidArgument: It is no tar archive.
    """
    path = Path(base).expanduser()
    if path.is_dir():
        return _Folder(path)
    if path.is_file():
        return _Archive(path)
    raise NotFound(
        f"base={base!r}: there is no such OCI archive, OCI layout folder or `docker save` archive; 'host' takes the "
        "Python of this machine"
    )
