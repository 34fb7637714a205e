"""A folder kept as it is now: hashed, its new blobs stored, listed."""

from __future__ import annotations

import hashlib
import heapq
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.filesets.blobs import Blobs
from amlsdk.filesets.hashing import hash_file
from amlsdk.filesets.listing import store_tree
from amlsdk.filesets.parallel import in_parallel
from amlsdk.filesets.statcache import StatCache
from amlsdk.filesets.walk import FoundFile, FoundTree, scan
from amlsdk.records.filesets import FileEntry, FileSetRecord, StoredFile
from amlsdk.records.streams import CHUNK, ByteStream

__all__ = ["Progress", "Snapshot", "snapshot", "store_files"]

Progress = Callable[[int, int], None]

_BIGGEST = 5
_ROUNDS = 5
_BATCH_BYTES = 128 << 20
_BATCH_FILES = 4096
_AT_ONCE = 2


@attrs.frozen(kw_only=True)
class Snapshot:
    """A tree that was stored, and what storing it took.

    Args:
        record: The tree.
        new_blobs: How many contents of files were not stored before; the tree's listing is not counted.
        new_bytes: Their size.
        biggest: Path and size in bytes of the five biggest files, the biggest first.
    """

    record: FileSetRecord
    new_blobs: int
    new_bytes: int
    biggest: tuple[tuple[str, int], ...]


def snapshot(
    folder: str | Path,
    store: Blobs,
    *,
    exclude: Iterable[Path] = (),
    everything: bool = False,
    needed: str | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Snapshot:
    """Store the files of a folder, or a single file, and the listing of the tree they make.

    Waits until all is stored. What a file has while it is stored is what counts, if it changes meanwhile; the
    files are not frozen together.

    Args:
        folder: A folder; or a file, which makes a tree of that one file.
        store: Where the blobs go; only those it has not yet are sent.
        exclude: Files and folders to leave out, such as the workspace.
        everything: Take also what `.amlignore`, `.gitignore` and the built-in rules leave out of a project: for
            outputs, models and data.
        needed: The path of a file that must be among them.
        cache: A folder that remembers the digests of files by size, times and inode, so that next time only
            changed files are read.
        progress: Called with the bytes hashed so far and the bytes to hash in all.

    Raises:
        NotFound: There is no such folder or file.
        InvalidArgument: Something in it can't be kept, or what is needed is left out; the message names it.
        Conflict: Files change faster than they can be stored.
        Unavailable: The store can't be written.
    """
    tree = scan(Path(folder), exclude=exclude, everything=everything)
    if needed is not None and all(file.path != needed for file in tree.files):
        raise InvalidArgument(
            f"{needed!r} is needed but left out of {os.fspath(folder)!r}: by .amlignore, .gitignore or because files "
            f"like it always are; take it out of there, or add the line '!{needed}' to .amlignore"
        )
    known = StatCache.load(cache, Path(folder))
    contents = _Contents(store)
    hashed_at_ns = time.time_ns()
    contents.take(tree.files, known, progress)
    entries = [*contents.entries(), *contents.store_links(tree)]
    record = store_tree(entries, store)
    known.save([(file, digest) for file, (digest, _) in contents.found.items()], hashed_at_ns=hashed_at_ns)
    biggest = heapq.nlargest(_BIGGEST, entries, key=lambda entry: entry.size_bytes)
    return Snapshot(
        record=record,
        new_blobs=len(contents.new),
        new_bytes=sum(contents.new.values()),
        biggest=tuple((entry.path, entry.size_bytes) for entry in biggest),
    )


def store_files(files: Iterable[FoundFile], store: Blobs, known: StatCache) -> dict[FoundFile, tuple[str, int]]:
    """Store files that lie anywhere, and return digest and size of each; one that is gone is left out.

    Raises:
        InvalidArgument: One can't be read; the message names it.
        Conflict: Files change faster than they can be stored.
        Unavailable: The store can't be written.
    """
    contents = _Contents(store)
    contents.take(files, known, None)
    return contents.found


@attrs.frozen
class _Contents:
    store: Blobs
    found: dict[FoundFile, tuple[str, int]] = attrs.field(factory=dict)
    new: dict[str, int] = attrs.field(factory=dict)

    def take(self, files: Iterable[FoundFile], known: StatCache, progress: Progress | None) -> None:
        """Find the digest of every file, and store what is missing."""
        changed = []
        for file in files:
            digest = known.digest(file)
            if digest is None:
                changed.append(file)
            else:
                self.found[file] = digest, file.size_bytes
        meter = _Meter(progress, sum(file.size_bytes for file in changed))
        # A small file is read once and hashed on the way into the store. A large one is hashed first, as it may be
        # there already and its copy be in vain.
        self._take_small([file for file in changed if file.size_bytes <= CHUNK], meter)
        self._take_large([file for file in changed if file.size_bytes > CHUNK], meter)
        self._store_rest()

    def _take_small(self, files: Sequence[FoundFile], meter: _Meter) -> None:
        # While the disk takes the last batch, the next one is read.
        with ThreadPoolExecutor(_AT_ONCE, "amlsdk-snapshot") as pool:
            batches = list(_batches(files))
            for batch, stored in zip(batches, pool.map(self._sent, batches), strict=True):
                self._note(batch, stored)
                meter.count(batch)

    def _take_large(self, files: Sequence[FoundFile], meter: _Meter) -> None:
        for batch in _batches(files):
            for file, result in zip(batch, in_parallel(_hash, batch), strict=True):
                if result:
                    self.found[file] = result
                meter.count([file])
            self._store_missing(file for file in batch if file in self.found)

    def _store_rest(self) -> None:
        """Store what a collector took, and what a file had that changed and was the only one sent of its content."""
        for _ in range(_ROUNDS):
            missing = self._store_missing(self.found)
            if not missing:
                return
        raise Conflict(
            f"{missing[0].location!r} and {len(missing) - 1} other files change faster than they can be stored; "
            "try again when nothing writes to them"
        )

    def _store_missing(self, files: Iterable[FoundFile]) -> list[FoundFile]:
        """Store one file of each content that is missing; return these files."""
        by_digest = {self.found[file][0]: file for file in files}
        missing = [by_digest[digest] for digest in self.store.missing(by_digest)]
        if missing:
            self._note(missing, self._sent(missing))
        return missing

    def _sent(self, files: Sequence[FoundFile]) -> dict[Path, StoredFile]:
        return self.store.put_files([Path(file.location) for file in files])

    def _note(self, files: Iterable[FoundFile], stored: Mapping[Path, StoredFile]) -> None:
        for file in files:
            result = stored.get(Path(file.location))
            if result is None:
                self.found.pop(file, None)
                continue
            self.found[file] = result.digest, result.size_bytes
            if result.is_new:
                self.new[result.digest] = result.size_bytes

    def entries(self) -> list[FileEntry]:
        return [
            FileEntry(path=file.path, digest=digest, size_bytes=size, mode=_mode(file))
            for file, (digest, size) in self.found.items()
        ]

    def store_links(self, tree: FoundTree) -> list[FileEntry]:
        entries = []
        for path, target in tree.links.items():
            content = target.encode()
            digest = hashlib.sha256(content).hexdigest()
            if self.store.missing([digest]):
                self.new[digest] = self.store.put(digest, ByteStream.of(content))
            entries.append(FileEntry(path=path, digest=digest, size_bytes=len(content), mode="link"))
        return entries


@attrs.define
class _Meter:
    """Tells how much is done."""

    progress: Progress | None
    whole: int
    done: int = 0

    def count(self, files: Iterable[FoundFile]) -> None:
        for file in files:
            self.done += file.size_bytes
            if self.progress:
                self.progress(self.done, self.whole)


def _batches(files: Sequence[FoundFile]) -> Iterator[list[FoundFile]]:
    """Cut files into batches that the page cache holds: what was hashed is then stored without the disk's reading."""
    batch: list[FoundFile] = []
    size = 0
    for file in files:
        if batch and (size + file.size_bytes > _BATCH_BYTES or len(batch) >= _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size_bytes
    if batch:
        yield batch


def _hash(file: FoundFile) -> tuple[str, int] | None:
    return hash_file(file.location)


def _mode(file: FoundFile) -> str:
    return "executable" if file.executable else "file"
