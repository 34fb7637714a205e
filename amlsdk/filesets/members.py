"""The members of archives, whatever their format."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.records.streams import CHUNK

__all__ = ["Member", "tar_members", "zip_members"]

_LONGEST_TARGET = 4096


@attrs.frozen(kw_only=True)
class Member:
    """One member of an archive, to be read before the next is asked for.

    Args:
        path: As the archive has it, without `./` before and `/` behind; not checked.
        kind: `file`, `folder` or `link`.
        executable: Its owner may execute it.
        target: Of a link.
        chunks: Reads the content of a file.
    """

    path: str
    kind: str
    executable: bool = False
    target: str = ""
    chunks: Callable[[], Iterator[bytes]] = lambda: iter(())


def tar_members(archive: Path) -> Iterator[Member]:
    """Iterate over a tar archive, compressed or not.

    Raises:
        InvalidArgument: A member is a device or pipe; the message names it.
    """
    with tarfile.open(archive, "r:*") as tar:
        for info in tar:
            path = _plain(info.name)
            if info.isdir():
                yield Member(path=path, kind="folder")
            elif info.issym():
                yield Member(path=path, kind="link", target=info.linkname)
            elif info.isreg() or info.islnk():
                yield _tar_file(tar, info, path)
            else:
                raise InvalidArgument(f"the archive has {info.name!r}, a device or pipe; only files can be unpacked")


def zip_members(archive: Path) -> Iterator[Member]:
    """Iterate over a zip archive.

    Raises:
        InvalidArgument: A member is a device or pipe; the message names it.
    """
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            mode = info.external_attr >> 16  # Unix mode, where the archive was made on Unix
            path, kind = _plain(info.filename), stat.S_IFMT(mode)
            if info.is_dir():
                yield Member(path=path, kind="folder")
            elif kind == stat.S_IFLNK:
                yield Member(path=path, kind="link", target=_zip_target(file, info))
            elif kind in {0, stat.S_IFREG}:
                executable = bool(mode & stat.S_IXUSR)
                yield Member(path=path, kind="file", executable=executable, chunks=_reader(file, info))
            else:
                raise InvalidArgument(
                    f"the archive has {info.filename!r}, a device or pipe; only files can be unpacked"
                )


def _plain(path: str) -> str:
    while path.startswith("./"):
        path = path[2:]
    # Only one slash: a name that is all slashes is absolute, not empty.
    path = path[:-1] if len(path) > 1 and path.endswith("/") else path
    return "" if path == "." else path


def _tar_file(tar: tarfile.TarFile, info: tarfile.TarInfo, path: str) -> Member:
    try:
        # A hard link is read from the member it names, so only from this archive.
        content = tar.extractfile(info)
    except KeyError as error:
        raise InvalidArgument(
            f"the archive has {info.name!r}, a hard link to {info.linkname!r}, which it lacks"
        ) from error
    if content is None:
        raise InvalidArgument(f"the archive has {info.name!r}, a hard link to {info.linkname!r}, which is no file")
    return Member(path=path, kind="file", executable=bool(info.mode & stat.S_IXUSR), chunks=lambda: _chunks(content))


def _reader(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], Iterator[bytes]]:
    return lambda: _chunks(file.open(info))


def _zip_target(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    with file.open(info) as content:
        target = content.read(_LONGEST_TARGET + 1)
    if len(target) > _LONGEST_TARGET:
        raise InvalidArgument(f"the link {info.filename!r} in the archive has a target longer than a path may be")
    return os.fsdecode(target)


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    with content:
        while chunk := content.read(CHUNK):
            yield chunk
