"""Archives that arrive as data, unpacked without trusting them."""

from __future__ import annotations

import lzma
import os
import secrets
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import attrs

from amlsdk.errors import Conflict, InvalidArgument, NotFound, Unavailable
from amlsdk.filesets.checkout import make_link
from amlsdk.filesets.links import check_links
from amlsdk.filesets.members import Member, tar_members, zip_members
from amlsdk.filesets.paths import check_path, check_tree

__all__ = ["unpack"]

_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
_FREE_RATIO = 64 << 20


def unpack(
    archive: str | Path,
    folder: str | Path,
    *,
    limit_bytes: int = 64 << 30,
    limit_ratio: int = 250,
    limit_members: int = 1_000_000,
) -> None:
    """Unpack a .zip or .tar archive (also .gz, .bz2, .xz; told by content) into a new folder.

    The folder appears whole or not at all. Links are kept where they stay inside; owners, times and special modes
    are not.

    Args:
        archive: The file.
        folder: Not there yet, or empty.
        limit_bytes: Most bytes all files may have together.
        limit_ratio: Most times all files together may be bigger than the archive, once they are above 64 MiB.
        limit_members: Most files, links and folders.

    Raises:
        NotFound: There is no such archive.
        InvalidArgument: It is no archive, is damaged or encrypted, is beyond a limit, or has a member that leaves
            the folder or is no file, folder or link; the message names the member.
        Conflict: The folder has something in it.
        Unavailable: The folder can't be written.
    """
    archive, folder = Path(archive), Path(os.path.realpath(folder))
    if not archive.is_file():
        raise NotFound(f"there is no archive {os.fspath(archive)!r}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{os.fspath(folder)!r} is there and not an empty folder; unpack into a new one")
    limit = min(limit_bytes, max(_FREE_RATIO, archive.stat().st_size * limit_ratio))
    draft = folder.with_name(f".aml-{secrets.token_hex(8)}")
    try:
        draft.mkdir(parents=True)
        _Unpacking(archive, draft, limit, limit_members).run()
        draft.replace(folder)
    except OSError as error:
        raise Unavailable(f"{os.fspath(archive)!r} can't be unpacked into {os.fspath(folder)!r}: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@attrs.define
class _Unpacking:
    archive: Path
    root: Path
    bytes_left: int
    members_left: int
    files: list[str] = attrs.field(factory=list)
    links: dict[str, str] = attrs.field(factory=dict)

    def run(self) -> None:
        name = os.fspath(self.archive)
        try:
            for member in self._members():
                self._take(member)
        except _DAMAGED as error:
            raise InvalidArgument(
                f"the archive {name!r} is damaged or of a kind that can't be read: {error}"
            ) from error
        except RuntimeError as error:  # what zipfile raises for an encrypted member
            raise InvalidArgument(f"the archive {name!r} can't be read: {error}") from error
        except OSError as error:
            if error.errno is not None:
                raise
            # gzip and bz2 say so of their data; what a disk refuses has a number.
            raise InvalidArgument(f"the archive {name!r} is damaged: {error}") from error
        check_tree([*self.files, *self.links])
        check_links(self.links)
        for path, target in self.links.items():
            self._make_folder(path.rpartition("/")[0])
            make_link(self.root / path, target)

    def _members(self) -> Iterator[Member]:
        # Tar first: a zip file at the end of a tar archive makes it look like a zip archive.
        if tarfile.is_tarfile(self.archive):
            return tar_members(self.archive)
        if zipfile.is_zipfile(self.archive):
            return zip_members(self.archive)
        raise InvalidArgument(f"{os.fspath(self.archive)!r} is neither a .zip nor a .tar archive")

    def _take(self, member: Member) -> None:
        self.members_left -= 1
        if self.members_left < 0:
            raise InvalidArgument(f"the archive {os.fspath(self.archive)!r} has too many members; unpack it yourself")
        if not member.path:
            return
        check_path(member.path)
        if member.kind == "link":
            self.links[member.path] = member.target
        elif member.kind == "folder":
            self._make_folder(member.path)
        else:
            self._write(member)

    def _write(self, member: Member) -> None:
        self._make_folder(member.path.rpartition("/")[0])
        location = self.root / member.path
        try:
            with location.open("xb") as file:
                for chunk in member.chunks():
                    self.bytes_left -= len(chunk)
                    if self.bytes_left < 0:
                        raise InvalidArgument(
                            f"with {member.path!r} the archive {os.fspath(self.archive)!r} grows beyond what it may "
                            "have unpacked; if it is meant to, unpack it yourself"
                        )
                    file.write(chunk)
        except FileExistsError as error:
            raise InvalidArgument(f"the archive has {member.path!r} twice; each path may be there once") from error
        if member.executable:
            mode = location.stat().st_mode
            location.chmod(stat.S_IMODE(mode) | (mode & 0o444) >> 2)
        self.files.append(member.path)

    def _make_folder(self, path: str) -> None:
        try:
            (self.root / path).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise InvalidArgument(f"the archive has {path!r} both as a file and as a folder") from error
