"""The files that a run kept."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from amlsdk.errors import NotFound
from amlsdk.filesets.checkout import checkout
from amlsdk.filesets.listing import record_of
from amlsdk.operations.runs import ListRunFiles
from amlsdk.records.filesets import FileEntry, FileSetRecord
from amlsdk.records.logged import RunFileRecord
from amlsdk.resources.paging import all_items

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["RunFiles"]


class RunFiles:
    """Files of a run, by path: iterate, `list`, `open`, `download`, `in`."""

    def __init__(self, client: Client, run_id: str, *, prefix: str) -> None:
        self._client = client
        self._run_id = run_id
        self._prefix = prefix

    def __iter__(self) -> Iterator[RunFileRecord]:
        """Iterate over the files by path."""
        self._client.deliver(self._run_id)
        return all_items(self._client, ListRunFiles(run_id=self._run_id, prefix=self._prefix))

    def list(self) -> list[RunFileRecord]:
        """Return the files by path: `.path`, `.size_bytes`, `.digest`."""
        return list(self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and any(file.path == self._full(path) for file in self)

    def get(self, path: str) -> RunFileRecord:
        """Return one file.

        Raises:
            NotFound: The run keeps no such file; the message names some that it keeps.
        """
        files = self.list()
        found = next((file for file in files if file.path == self._full(path)), None)
        if found is None:
            raise NotFound(f"run {self._run_id} keeps no file {path!r}{_shown(files)}")
        return found

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading, all of it in memory; `download` is for large ones.

        Raises:
            NotFound: The run keeps no such file.
            OperationFailed: The stored file is damaged.
        """
        return io.BytesIO(self._client.blobs.open(self.get(path).digest).read())

    def read_text(self, path: str) -> str:
        """Return a file as text (UTF-8)."""
        return self.open(path).read().decode()

    def fileset(self, path: str = "") -> FileSetRecord:
        """Return the tree of the files below a path, or of the one file it names, which may be an input of another run.

        Raises:
            NotFound: There is none.
        """
        full, files = self._full(path).rstrip("/"), self.list()
        below = [file for file in files if not full or file.path == full or file.path.startswith(full + "/")]
        if not below:
            raise NotFound(f"run {self._run_id} keeps nothing at {path!r}{_shown(files)}")
        root = full.rpartition("/")[0] if below[0].path == full else full
        return record_of([_entry(file, root) for file in below])

    def download(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> tuple[Path, ...]:
        """Write the files into a folder, which is made where it is missing; paths are kept.

        Args:
            folder: Where to.
            overwrite: Whether other files of the same paths are replaced.

        Returns:
            Their paths.

        Raises:
            Conflict: Other files are there; nothing was written.
        """
        record = record_of([_entry(file, "") for file in self])
        checkout(record, self._client.blobs, Path(folder), overwrite=overwrite)
        return tuple(Path(folder) / entry.path for entry in record.entries)

    def _full(self, path: str) -> str:
        return path if path.startswith(self._prefix) or path == self._prefix.rstrip("/") else self._prefix + path

    def __repr__(self) -> str:
        from amlsdk.resources.values.text_views import table_text

        return table_text(["path", "size_bytes"], [[file.path, file.size_bytes] for file in self])


def _entry(file: RunFileRecord, root: str) -> FileEntry:
    path = file.path[len(root) :].lstrip("/") if root else file.path
    return FileEntry(path=path, digest=file.digest, size_bytes=file.size_bytes, mode=file.mode)


def _shown(files: list[RunFileRecord]) -> str:
    names = [repr(file.path) for file in files[:5]]
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""  # noqa: PLR2004
    return f"; it keeps {', '.join(names)}{more}" if names else "; it keeps none"
