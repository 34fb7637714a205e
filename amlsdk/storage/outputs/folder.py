"""Output as files, that grow at their end and are read while they do."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from amlsdk.errors import Unavailable
from amlsdk.records.streams import ByteStream
from amlsdk.storage.outputs.base import OutputStore

__all__ = ["FolderOutputs"]


@attrs.frozen
class FolderOutputs(OutputStore):
    """Output in the files where those who print on this machine write it themselves.

    Args:
        folder: Of the workspace: `runs/<id>/output.log` and `logs/<id>.log` in it.
    """

    folder: Path

    def append(self, key: str, content: ByteStream, *, offset: int) -> int:  # noqa: D102
        try:
            return _append(self._path(key), content, offset=offset)
        except OSError as error:
            raise Unavailable(
                f"the output of {key.replace('/', ' ')} can't be kept: {error.strerror}; look at the disk of the "
                "workspace, then send it again"
            ) from error

    def size(self, key: str) -> int:  # noqa: D102
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, key: str, *, start: int, stop: int) -> ByteStream:  # noqa: D102
        return ByteStream.from_file(self._path(key), start=start, stop=stop)

    def delete(self, key: str) -> None:  # noqa: D102
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        kind, _, owner_id = key.partition("/")
        return (
            self.folder / "runs" / owner_id / "output.log"
            if kind == "run"
            else self.folder / "logs" / f"{owner_id}.log"
        )


def _append(path: Path, content: ByteStream, *, offset: int) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Unbuffered, so that what was written is known.
    with open(path, "ab", buffering=0) as file, _locked(file.fileno()):  # noqa: PTH123
        end = os.fstat(file.fileno()).st_size
        if offset <= end:
            for chunk in _after(content, end - offset):
                left = memoryview(chunk)
                while left:
                    left = left[file.write(left) :]
        return os.fstat(file.fileno()).st_size


def _after(content: Iterable[bytes], skip: int) -> Iterator[bytes]:
    for chunk in content:
        kept, skip = chunk[skip:], max(0, skip - len(chunk))
        if kept:
            yield kept


@contextlib.contextmanager
def _locked(file: int) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:
        # Windows, where no supervisor runs and one client sends.
        yield
        return
    # Of two that send the same bytes, the second finds them there.
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        # A child that was forked meanwhile has the file open too, and would keep the lock.
        fcntl.flock(file, fcntl.LOCK_UN)
