"""What a zip archive must be before anything in it is read."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from amlsdk.errors import InvalidArgument

__all__ = ["MAX_BYTES", "MAX_RATIO", "check_archive", "is_skops", "is_zip"]

MAX_BYTES = 4 * 2**30
MAX_RATIO = 1000
_ZIP_HEAD = b"PK\x03\x04"
_LEVELS = 3
_SCHEMA = "schema.json"
_SCHEMA_HEAD = 64 * 1024


def is_zip(head: bytes) -> bool:
    """Whether a file that begins so is a zip archive."""
    return head.startswith((_ZIP_HEAD, b"PK\x05\x06"))


def is_skops(archive: zipfile.ZipFile) -> bool:
    """Whether an archive is a skops file: its schema names the loader of its first object at the very beginning."""
    if _SCHEMA not in archive.namelist():
        return False
    with archive.open(_SCHEMA) as schema:
        return b'"__loader__"' in schema.read(_SCHEMA_HEAD)


def check_archive(path: Path) -> None:
    """Refuse an archive that is broken, names paths outside itself, or unpacks to far more than its size.

    Raises:
        InvalidArgument: It unpacks to over 4 GiB and over 1000 times its size, has a member that leaves the archive
            or two of one name, or is not a readable zip file.
    """
    try:
        with path.open("rb") as stream:
            _check(stream, path.name, _LEVELS)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument(f"{path.name!r} is not a readable archive: {error}") from error


def _check(stream: IO[bytes], name: str, levels: int) -> None:
    packed = stream.seek(0, os.SEEK_END)
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        _check_names(members, name)
        _check_size(members, packed, name)
        for member in members:
            with archive.open(member) as inner:
                nested = inner.read(len(_ZIP_HEAD)) == _ZIP_HEAD
            # Sparse matrices are kept as archives inside the archive, where a bomb could hide as well.
            if nested and levels > 1:
                _check(io.BytesIO(archive.read(member)), f"{name}/{member.filename}", levels - 1)
            elif nested:
                raise InvalidArgument(f"{name!r} holds archives more than {_LEVELS} deep; it is not loaded")


def _check_names(members: list[zipfile.ZipInfo], name: str) -> None:
    seen: set[str] = set()
    for member in members:
        inside = PurePosixPath(member.filename)
        if inside.is_absolute() or ".." in inside.parts or "\\" in member.filename or ":" in member.filename:
            raise InvalidArgument(f"{name!r} has a member {member.filename!r} outside itself; it is not loaded")
        # Two readers may pick different ones of two members: what is checked would not be what is loaded.
        if member.filename in seen:
            raise InvalidArgument(f"{name!r} has two members {member.filename!r}; it is not loaded")
        seen.add(member.filename)


def _check_size(members: list[zipfile.ZipInfo], packed: int, name: str) -> None:
    # zipfile never returns more bytes than a member declares, so the declared sizes are an upper bound.
    unpacked = sum(member.file_size for member in members)
    if unpacked > MAX_BYTES and unpacked > MAX_RATIO * packed:
        raise InvalidArgument(
            f"{name!r} has {packed} bytes and unpacks to {unpacked}, over {MAX_RATIO} times as much; it is not loaded"
        )
