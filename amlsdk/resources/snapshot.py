"""The files that a run executed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.filesets.checkout import checkout
from amlsdk.operations.filesets import GetFileSet
from amlsdk.records.filesets import FileEntry, FileSetRecord
from amlsdk.records.names import check_text
from amlsdk.resources.arguments import check_flag, local_path

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["RunSnapshot"]


class RunSnapshot:
    """A stored tree of files.

    Args:
        digest: SHA-256 of its listing; equal trees have equal digests.
    """

    def __init__(self, client: Client, digest: str) -> None:
        self._client = client
        self.digest = digest

    @property
    def record(self) -> FileSetRecord:
        """The tree."""
        return self._client.send(GetFileSet(digest=self.digest))

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """Its files: `.path`, `.size_bytes`, `.digest`."""
        return self.record.entries

    def read_text(self, path: str) -> str:
        """Return a file as text (UTF-8).

        Raises:
            NotFound: It has no such file.
            InvalidArgument: It is not UTF-8.
        """
        check_text(path, what="read_text(path=...)")
        content = self._content(path)
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise InvalidArgument(f"read_text({path!r}): not UTF-8: {error.reason}; checkout() it") from error

    def _content(self, path: str) -> bytes:
        for entry in self.files:
            if entry.path == path:
                return self._client.blobs.open(entry.digest).read()
        raise NotFound(f"the snapshot {self.digest[:12]} has no file {path!r}")

    def checkout(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the files into a folder, which is made where it is missing.

        Args:
            folder: Where to.
            overwrite: Whether other files of the same paths are replaced; without it uncommitted work is safe.

        Returns:
            The folder.

        Raises:
            Conflict: Other files are there; nothing was written.
        """
        target = local_path(folder, what="checkout(folder=...)")
        check_flag(overwrite, what="checkout(overwrite=...)")
        checkout(self.record, self._client.blobs, target, overwrite=overwrite)
        return target

    def __repr__(self) -> str:
        return f"<RunSnapshot {self.digest[:12]}>"
