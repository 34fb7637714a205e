"""The files that a run kept."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.filesets.checkout import checkout
from amlsdk.filesets.listing import record_of
from amlsdk.filesets.paths import check_path
from amlsdk.operations.runs import ListRunFiles
from amlsdk.records.filesets import FileEntry, FileSetRecord
from amlsdk.records.logged import RunFileRecord
from amlsdk.records.names import check_text
from amlsdk.records.streams import ByteStream
from amlsdk.resources.arguments import check_flag, local_path, named, telling
from amlsdk.resources.paging import all_items

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["OUTPUTS", "RunFiles", "entry_of", "output_path"]

# The folder of what a run puts out.
OUTPUTS = "outputs"
_IN_MEMORY_BYTES = 16 << 20


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
        check_text(path, what="the path of a file of a run")
        files = self.list()
        found = next((file for file in files if file.path == self._full(path)), None)
        if found is None:
            raise NotFound(f"run {self._run_id} keeps no file {path!r}{_shown(files)}")
        return found

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading, whole and verified; one above 16 MiB is not held in memory but in a temporary file.

        Raises:
            NotFound: The run keeps no such file.
            OperationFailed: The stored file is damaged.
        """
        found = self.get(path)
        content = self._client.blobs.open(found.digest)
        if found.size_bytes <= _IN_MEMORY_BYTES:
            return io.BytesIO(content.read())
        return _in_temporary_file(content)

    def read_text(self, path: str) -> str:
        """Return a file as text (UTF-8).

        Raises:
            NotFound: The run keeps no such file.
            InvalidArgument: It is not UTF-8.
        """
        try:
            return self.open(path).read().decode()
        except UnicodeDecodeError as error:
            raise InvalidArgument(f"read_text({path!r}): the file is not UTF-8: {error.reason}; open() it") from error

    def fileset(self, path: str = "") -> FileSetRecord:
        """Return the tree of the files below a path, or of the one file it names, which may be an input of another run.

        Raises:
            NotFound: There is none.
        """
        check_text(path, what="fileset(path=...)")
        full, files = self._full(path).rstrip("/"), self.list()
        below = [file for file in files if not full or file.path == full or file.path.startswith(full + "/")]
        if not below:
            raise NotFound(f"run {self._run_id} keeps nothing at {path!r}{_shown(files)}")
        root = full.rpartition("/")[0] if below[0].path == full else full
        return record_of([entry_of(file, root) for file in below])

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
        target = local_path(folder, what="download(folder=...)")
        check_flag(overwrite, what="download(overwrite=...)")
        record = record_of([entry_of(file, "") for file in self])
        checkout(record, self._client.blobs, target, overwrite=overwrite)
        return tuple(target / entry.path for entry in record.entries)

    def _full(self, path: str) -> str:
        return path if path.startswith(self._prefix) or path == self._prefix.rstrip("/") else self._prefix + path

    def __repr__(self) -> str:
        from amlsdk.resources.values.text_views import table_text

        return table_text(["path", "size_bytes"], [[file.path, file.size_bytes] for file in self])


def output_path(name: str | os.PathLike[str], call: str) -> str:
    """Return the path of an output, which always begins with `outputs/`; the folder of all is `outputs`.

    Raises:
        InvalidArgument: It is no path, absolute, empty or has `..`.
    """
    text = named(name, what=f"{call}(name=...)")
    path = text if text.startswith("/") else text.replace(os.sep, "/").rstrip("/")
    with telling(call):
        check_path(check_text(path, what="the name of an output"))
    return path if path == OUTPUTS or path.startswith(f"{OUTPUTS}/") else f"{OUTPUTS}/{path}"


def _in_temporary_file(content: ByteStream) -> BinaryIO:
    # Written whole before a byte is handed out: only the end of a blob tells whether it is sound.
    file = tempfile.TemporaryFile(prefix="amlsdk-")  # noqa: SIM115  # whoever asked for it closes it
    try:
        for chunk in content:
            file.write(chunk)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def entry_of(file: RunFileRecord, root: str) -> FileEntry:
    """Return a file as an entry of the tree below a folder of the run's files."""
    path = file.path[len(root) :].lstrip("/") if root else file.path
    return FileEntry(path=path, digest=file.digest, size_bytes=file.size_bytes, mode=file.mode)


def _shown(files: list[RunFileRecord]) -> str:
    names = [repr(file.path) for file in files[:5]]
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""  # noqa: PLR2004
    return f"; it keeps {', '.join(names)}{more}" if names else "; it keeps none"
