"""Blobs as files of a folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import attrs

from amlsdk.errors import Conflict, InvalidArgument, NotFound, OperationFailed, Unavailable
from amlsdk.records.filesets import StoredFile
from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.storage.blobs.base import BlobStore, check_digest, check_part
from amlsdk.storage.blobs.copying import copy_hashed, disk_errors, open_regular, write_beside
from amlsdk.storage.blobs.drafts import Draft, Drafts
from amlsdk.storage.blobs.parts import Parts
from amlsdk.storage.blobs.syncing import sync_all
from amlsdk.storage.blobs.verifying import absent, mismatch, verified

__all__ = ["FolderBlobStore", "open_folder"]

_EMPTY = hashlib.sha256().hexdigest()
_FAN = re.compile(r"[0-9a-f]{2}")
_REST = re.compile(r"[0-9a-f]{62}")
_USED_AGAIN_AFTER_S = 1800
_GROUP = 4096
_SLICE = 64
_PARALLEL = min(8, max(2, os.cpu_count() or 1))


def _absolute(path: str | os.PathLike[str]) -> Path:
    # A script that changes the directory later must not change which folder is meant.
    return Path(path).absolute()


@attrs.frozen
class FolderBlobStore(BlobStore):
    """A blob store in a folder, made when the first blob is stored.

    A blob is the read-only file `ab/cdef...`, named by its digest. It is written under a temporary name in `tmp/`,
    synced, renamed, and the folder it is renamed in is synced before the call returns: no crash leaves a name whose
    bytes are not there. `put_files` does this for some thousand files at a time, written first and synced together; a
    process that is killed loses at most the names of one such group. On macOS the sync reaches the drive, not its
    cache; a blob that was lost there is found damaged, and counts as missing where it is empty.

    Args:
        folder: Where the blobs are.
    """

    folder: Path = attrs.field(converter=_absolute)

    def sizes(self, digests: Iterable[str]) -> dict[str, int]:  # noqa: D102
        found = ((digest, self._used(digest)) for digest in dict.fromkeys(digests))
        return {digest: size for digest, size in found if size is not None}

    def put(self, digest: str, content: ByteStream) -> int:  # noqa: D102
        stored = self._stored_size(digest)
        if stored is not None and content.size_bytes in (None, stored) and self._touch(digest):
            return stored
        with self._drafts() as drafts:
            draft = drafts.from_stream(content)
            _expect(draft, digest, "the content sent")
            self._publish([draft])
        return draft.size_bytes

    def put_file(self, path: str | Path, *, digest: str | None = None) -> tuple[str, int]:  # noqa: D102
        if digest is not None:
            check_digest(digest)
        with self._drafts() as drafts:
            draft = drafts.from_file(path)
            if digest is not None:
                _expect(draft, digest, f"the file {os.fspath(path)!r}")
            self._publish([draft])
        return draft.digest, draft.size_bytes

    def put_files(self, paths: Sequence[Path]) -> dict[Path, StoredFile]:  # noqa: D102
        stored: dict[Path, StoredFile] = {}
        with ThreadPoolExecutor(_PARALLEL, "amlsdk-put") as pool:
            for start in range(0, len(paths), _GROUP):
                stored |= self._put_group(paths[start : start + _GROUP], pool)
        return stored

    def open(self, digest: str, *, start: int = 0) -> ByteStream:  # noqa: D102
        size = self.size(digest)
        if not 0 <= start <= size:
            raise InvalidArgument(f"blob {digest} has {size} bytes; it can't be read from byte {start}")
        if start:
            return ByteStream(begin=lambda: self._read_from(digest, start), size_bytes=size - start)
        return ByteStream(begin=lambda: self._read_verified(digest), size_bytes=size)

    def copy_to(self, digest: str, path: str | Path) -> None:  # noqa: D102
        with self._opened(digest) as blob, write_beside(path) as target:
            found, _ = copy_hashed(blob, target)
            if found != digest:
                raise self._damaged(digest)

    def size(self, digest: str) -> int:  # noqa: D102
        size = self._stored_size(digest)
        if size is None:
            raise absent(digest)
        return size

    def digests(self) -> Iterator[tuple[str, int, float]]:  # noqa: D102
        for fan in _names(self.folder, _FAN):
            for rest in _names(self.folder / fan, _REST):
                with contextlib.suppress(FileNotFoundError):
                    found = os.stat(self._path(fan + rest))  # noqa: PTH116
                    yield fan + rest, found.st_size, found.st_mtime

    def delete(self, digest: str, *, unless_used_since: float | None = None) -> bool:  # noqa: D102
        path = self._path(check_digest(digest))
        with disk_errors(f"blob {digest} can't be deleted"), contextlib.suppress(FileNotFoundError):
            if unless_used_since is not None and os.stat(path).st_mtime > unless_used_since:  # noqa: PTH116
                return False
            os.unlink(path)  # noqa: PTH108
        return True

    def put_part(self, digest: str, number: int, content: ByteStream) -> None:  # noqa: D102
        check_part(number)
        if not self._touch(digest):
            self._parts.put(digest, number, content)

    def parts(self, digest: str) -> dict[int, int]:  # noqa: D102
        return self._parts.sizes(check_digest(digest))

    def finish(self, digest: str, parts: int) -> int:  # noqa: D102
        if not self._touch(digest):
            try:
                with self._parts.joined(digest, parts) as draft:
                    self._publish([draft])
            except Conflict:
                if not self._touch(digest):
                    raise
        self._parts.discard(digest)
        return self.size(digest)

    def remove_leftovers(self, *, older_than_s: float = 86_400) -> int:  # noqa: D102
        removed, now = self._parts.remove_older(older_than_s), time.time()
        for name in _names(self.folder / "tmp", re.compile(r".+")):
            leftover = self.folder / "tmp" / name
            with disk_errors(f"{str(leftover)!r} can't be removed"), contextlib.suppress(FileNotFoundError):
                if now - leftover.stat().st_mtime >= older_than_s:
                    leftover.unlink()
                    removed += 1
        return removed

    def _put_group(self, paths: Sequence[Path], pool: ThreadPoolExecutor) -> dict[Path, StoredFile]:
        with self._drafts() as drafts:
            # A task each would cost more than a small file.
            slices = [paths[start : start + _SLICE] for start in range(0, len(paths), _SLICE)]
            futures = [pool.submit(self._take, drafts, part) for part in slices]
            # All have ended before any error leaves here, so that every draft made is known and removed.
            wait(futures)
            made = {path: found for future in futures for path, found in future.result().items()}
            new = self._publish([found for found in made.values() if isinstance(found, Draft)])
        return {path: StoredFile(found.digest, found.size_bytes, found.digest in new) for path, found in made.items()}

    def _take(self, drafts: Drafts, paths: Sequence[Path]) -> dict[Path, Draft | StoredFile]:
        made: dict[Path, Draft | StoredFile] = {}
        for path in paths:
            with contextlib.suppress(NotFound):
                made[path] = drafts.from_file_unless(path, self._is_stored)
        return made

    def _is_stored(self, digest: str, size_bytes: int) -> bool:
        return self._stored_size(digest) == size_bytes and self._touch(digest)

    def _publish(self, drafts: Sequence[Draft]) -> set[str]:
        """Give drafts their names, one of each content that is not stored; return the digests that are new."""
        by_digest = {draft.digest: draft for draft in drafts}
        new = {digest: draft for digest, draft in by_digest.items() if not self._is_stored(digest, draft.size_bytes)}
        with disk_errors(f"blobs can't be stored in {str(self.folder)!r}"):
            sync_all([draft.path for draft in new.values()])
            changed = set().union(*map(self._name, new.values()))
            # Windows can't open folders, and writes what it renames in order.
            sync_all(changed if os.name != "nt" else ())
        return set(new)

    def _name(self, draft: Draft) -> set[str]:
        """Give a draft its name; return the folders that changed."""
        path = self._path(draft.digest)
        fan = os.path.dirname(path)  # noqa: PTH120
        try:
            os.replace(draft.path, path)  # noqa: PTH105
        except FileNotFoundError:
            os.makedirs(fan, exist_ok=True)  # noqa: PTH103
            os.replace(draft.path, path)  # noqa: PTH105
            return {fan, os.fspath(self.folder)}
        return {fan}

    def _drafts(self) -> Drafts:
        return Drafts(f"{self.folder}{os.sep}tmp")

    @property
    def _parts(self) -> Parts:
        return Parts(f"{self.folder}{os.sep}parts")

    @contextlib.contextmanager
    def _opened(self, digest: str) -> Iterator[BinaryIO]:
        check_digest(digest)
        try:
            with open_regular(self._path(digest)) as blob:
                yield blob
        except NotFound as error:
            raise absent(digest) from error
        except InvalidArgument as error:
            raise Unavailable(f"blob {digest} can't be read: {error}") from error

    def _read_verified(self, digest: str) -> Iterator[bytes]:
        return verified(digest, self._read_from(digest, 0), damaged=lambda: self._damaged(digest))

    def _read_from(self, digest: str, start: int) -> Iterator[bytes]:
        with self._opened(digest) as blob:
            blob.seek(start)
            with disk_errors(f"blob {digest} can't be read"):
                while chunk := blob.read(CHUNK):
                    yield chunk

    def _stored_size(self, digest: str) -> int | None:
        found = self._stat(digest)
        return found.st_size if found else None

    def _touch(self, digest: str) -> bool:
        return self._used(digest) is not None

    def _used(self, digest: str) -> int | None:
        found = self._stat(digest)
        if found is None or (time.time() - found.st_mtime > _USED_AGAIN_AFTER_S and not self._mark_used(digest)):
            return None
        return found.st_size

    def _mark_used(self, digest: str) -> bool:
        try:
            os.utime(self._path(digest))
        except FileNotFoundError:
            return False
        except OSError as error:
            # A store of somebody else's may only be read: whoever collects there can't know this use.
            if error.errno not in {errno.EROFS, errno.EPERM, errno.EACCES}:
                raise Unavailable(f"blob {digest} can't be marked as used: {error.strerror}") from error
        return True

    def _stat(self, digest: str) -> os.stat_result | None:
        try:
            found = os.stat(self._path(check_digest(digest)))  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unavailable(f"blob {digest} can't be looked up: {error.strerror}") from error
        # After a loss of power, file systems show lost bytes as an empty file: it is missing, so that
        # the next who has the content stores it again.
        return found if found.st_size or digest == _EMPTY else None

    def _path(self, digest: str) -> str:
        return f"{self.folder}{os.sep}{digest[:2]}{os.sep}{digest[2:]}"

    def _damaged(self, digest: str) -> OperationFailed:
        return OperationFailed(
            f"blob {digest} is damaged: the bytes in {self._path(digest)!r} have another digest; "
            "delete it and store the content again"
        )


def _expect(draft: Draft, digest: str, what: str) -> None:
    if draft.digest != digest:
        raise mismatch(what, found=draft.digest, size=draft.size_bytes, digest=digest)


def _names(folder: Path, form: re.Pattern[str]) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if form.fullmatch(name))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise Unavailable(f"blobs can't be listed in {str(folder)!r}: {error.strerror}") from error


def open_folder(url: str, *, prefix: str) -> FolderBlobStore:
    """Return the store of a path or a `file://` URL, in the folder `blobs` below its prefix.

    Raises:
        InvalidArgument: It is a URL of another machine.
    """
    parts = urlsplit(url) if url.lower().startswith("file:") else None
    if parts is not None and (parts.netloc not in ("", "localhost") or not parts.path.startswith("/")):
        raise InvalidArgument(f"{url!r} names no folder of this machine; write file:///absolute/folder, or a path")
    return FolderBlobStore(Path(unquote(parts.path) if parts else url).expanduser() / prefix / "blobs")
