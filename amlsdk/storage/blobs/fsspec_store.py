"""Blobs wherever fsspec opens files: Google Cloud Storage, SFTP, HDFS and many more."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from amlsdk.errors import AmlError, NotFound, Unavailable
from amlsdk.records.filesets import PART_BYTES
from amlsdk.storage.blobs.objects import USED_AGAIN_AFTER_S, Found, ObjectBlobStore
from amlsdk.storage.blobs.opening import without_password

__all__ = ["FsspecBlobStore", "reason_of"]

# What is written to these at once is there whole or not at all; elsewhere only a file that is renamed is.
_AT_ONCE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "az", "oss", "oci", "tos", "memory"})
# In this order: the first that an implementation has is the time of the last change.
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "timeModified", "modify", "created")
_BLOCK = 16 << 20
_RANGE = 4 << 20


class FsspecBlobStore(ObjectBlobStore):
    """A blob store over a file system of fsspec.

    An object is written under the name of a draft and moved to its own, but what is small and goes to an object store
    is written at once. Not every place can renew the time of a file, so that a use is noted by an empty object
    `used/<digest>` beside it. What was stored lasts as well as a file does that was closed there.

    Args:
        files: A file system of fsspec.
        root: Path in it of all that is kept.
    """

    def __init__(self, files: Any, root: str) -> None:
        self._files, self._root = files, root.rstrip("/")
        protocol = files.protocol
        self._scheme: str = protocol if isinstance(protocol, str) else protocol[0]

    def check(self) -> None:  # noqa: D102
        with self._telling("the blobs can't be reached"):
            self._files.exists(self._root)

    def _write(self, name: str, chunks: Iterable[bytes]) -> None:
        arriving = iter(chunks)
        begin = _taken(arriving, PART_BYTES)
        if self._scheme in _AT_ONCE and len(begin) < PART_BYTES:
            with self._telling(f"{name} can't be stored"):
                self._files.pipe_file(self._path(name), bytes(begin))
            return
        draft = self._draft()
        try:
            self._write_draft(draft, chain((bytes(begin),), arriving), doing=f"{name} can't be stored")
            self._publish(draft, name)
        except BaseException:
            # What can't be removed now is a leftover, and an error of the content is the one to be told.
            with contextlib.suppress(Exception):
                self._files.rm_file(self._path(draft))
            raise

    def _write_draft(self, draft: str, chunks: Iterable[bytes], *, doing: str) -> None:
        with self._telling(doing):
            self._make_folder(draft)
            file = self._files.open(self._path(draft), "wb", block_size=_BLOCK)
        try:
            for chunk in chunks:
                with self._telling(doing):
                    file.write(chunk)
        finally:
            with self._telling(doing):
                file.close()

    def _publish(self, draft: str, name: str) -> None:
        try:
            with self._telling(f"{name} can't be stored"):
                self._move(draft, name)
        except Unavailable:
            # Some places can't move a file onto another; of two that store the same, one is enough.
            drafted, found = self._find(draft), self._find(name)
            if drafted is None or found is None or drafted.size_bytes != found.size_bytes:
                raise
            self._remove(draft)

    def _read(self, name: str, start: int) -> Iterator[bytes]:
        found = self._info(name)
        if found is None:
            raise self._absent(name)
        try:
            with self._telling(f"{name} can't be read", may_lack=True):
                # By ranges: files that are open are of one reader in some places, and of many readers here.
                for at in range(start, found.size_bytes, _RANGE):
                    end = min(found.size_bytes, at + _RANGE)
                    yield self._files.cat_file(self._path(name), start=at, end=end)
        except FileNotFoundError as error:
            raise self._absent(name) from error

    def _find(self, name: str) -> Found | None:
        found = self._info(name)
        if found is None or time.time() - found.used_at < USED_AGAIN_AFTER_S:
            return found
        used = self._info(_note(name))
        return found if used is None else Found(size_bytes=found.size_bytes, used_at=max(found.used_at, used.used_at))

    def _mark_used(self, name: str) -> bool:
        with self._telling(f"{name} can't be marked as used"):
            self._make_folder(_note(name))
            self._files.pipe_file(self._path(_note(name)), b"")
        # Whoever collects may have been faster than the note.
        return self._info(name) is not None

    def _list(self, folder: str) -> Iterator[tuple[str, Found]]:
        used = {name: found.used_at for name, found in self._listed(_note(folder))}
        for name, found in self._listed(folder):
            yield name, Found(size_bytes=found.size_bytes, used_at=max(found.used_at, used.get(name, 0.0)))

    def _remove(self, name: str, *, unless_used_since: float | None = None) -> bool:
        if unless_used_since is not None:
            return self._remove_unless_used(name, unless_used_since)
        self._remove_each(name, _note(name))
        return True

    def _remove_each(self, *names: str) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError), self._telling(f"{name} can't be removed", may_lack=True):
                self._files.rm_file(self._path(name))

    def _remove_unless_used(self, name: str, since: float) -> bool:
        found = self._find(name)
        if found is None or found.used_at > since:
            return found is None
        # Between that look and its removal somebody may note a use. Who does so looks for the object afterwards: it is
        # put aside first, so that a note of somebody who still saw it is there by now and it can be put back.
        aside = self._draft()
        try:
            with self._telling(f"{name} can't be removed", may_lack=True):
                self._move(name, aside)
        except FileNotFoundError:
            return True
        note = self._info(_note(name))
        if note is not None and note.used_at > since:
            self._publish(aside, name)
            return False
        self._remove_each(aside, _note(name))
        return True

    def _place(self) -> str:
        return without_password(f"{self._scheme}://{self._root}")

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _make_folder(self, name: str) -> None:
        if self._scheme not in _AT_ONCE or self._scheme == "memory":
            self._files.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    def _move(self, source: str, target: str) -> None:
        self._make_folder(target)
        self._files.invalidate_cache()
        self._files.mv(self._path(source), self._path(target))

    def _absent(self, name: str) -> NotFound:
        return NotFound(f"there is no {name} in {self._place()}")

    def _info(self, name: str) -> Found | None:
        try:
            with self._telling(f"{name} can't be looked up", may_lack=True):
                # Other processes write here too, which a listing that is kept does not know.
                self._files.invalidate_cache()
                return self._found(self._files.info(self._path(name)))
        except FileNotFoundError:
            return None

    def _listed(self, folder: str) -> list[tuple[str, Found]]:
        root = self._path(folder)
        try:
            with self._telling(f"{folder} can't be listed", may_lack=True):
                self._files.invalidate_cache()
                found = self._files.find(root, detail=True)
        except FileNotFoundError:
            return []
        return [(path.rpartition(f"{root.lstrip('/')}/")[2], self._found(info)) for path, info in found.items()]

    def _found(self, info: Mapping[str, Any]) -> Found:
        said = next((info[name] for name in _TIMES if info.get(name) is not None), None)
        used_at = _seconds(self._files.modified(info["name"]) if said is None else said)
        return Found(size_bytes=int(info["size"]), used_at=used_at)

    @contextlib.contextmanager
    def _telling(self, doing: str, *, may_lack: bool = False) -> Iterator[None]:
        """Turn whatever an implementation raises into `Unavailable`; that a file is not there may pass."""
        try:
            yield
        except AmlError:
            raise
        except Exception as error:
            if may_lack and self._is_absence(error):
                raise
            raise Unavailable(f"{doing} in {self._place()}: {self._reason(error)}") from error

    def _is_absence(self, error: Exception) -> bool:
        return isinstance(error, FileNotFoundError)

    def _reason(self, error: Exception) -> str:
        return f"{reason_of(error)}; see that the place is there and open to this process, then try again"


def _note(name: str) -> str:
    return f"used/{name}"


def _taken(chunks: Iterator[bytes], most: int) -> bytearray:
    """Take chunks until there is enough of them, or no more."""
    taken = bytearray()
    for chunk in chunks:
        taken += chunk
        if len(taken) >= most:
            break
    return taken


def _seconds(said: Any) -> float:
    if isinstance(said, str):
        said = dt.datetime.fromisoformat(re.sub(r"Z$", "+00:00", said))
    if isinstance(said, dt.datetime):
        # Implementations that give no zone mean UTC.
        return (said if said.tzinfo else said.replace(tzinfo=dt.timezone.utc)).timestamp()
    return float(said)


def reason_of(error: Exception) -> str:
    """Return what an implementation says of an error, without the secret parts of an address that may be in it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {without_password(str(error))[:200]}"
