"""Installed distributions are kept as FileSets, so that an image is built of what was tried."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from amlsdk.filesets.snapshot import store_files
from amlsdk.filesets.statcache import StatCache
from amlsdk.filesets.walk import FoundFile
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.records.filesets import FileEntry
from amlsdk.records.manifests import Dependency
from amlsdk.records.names import listed
from amlsdk.records.streams import ByteStream
from amlsdk.resources.manifesting.installed import Distribution, Environment
from amlsdk.resources.manifesting.selecting import checked_hash, files_of, keep, record_text, sha256_of

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["Locked", "entry_of", "found_at", "lock", "store_ahead", "store_found"]

# Of one distribution; scipy, among the larger ones, has 110 MB.
_MOST_AHEAD = 300_000_000

Digests = Mapping[FoundFile, tuple[str, int]]


@attrs.frozen(kw_only=True)
class Locked:
    """Distributions that were kept.

    Args:
        dependencies: One each, without a wheel.
        notes: What is not as it was installed.
    """

    dependencies: tuple[Dependency, ...]
    notes: tuple[str, ...]


def lock(client: Client, used: Mapping[Distribution, Collection[str]], scoring: Collection[str]) -> Locked:
    """Keep the files of distributions.

    Args:
        client: Where to.
        used: Paths of the files that were imported, by distribution.
        scoring: Names of those that the script imports; others are for the service around it.
    """
    chosen = {one: _chosen(one, paths) for one, paths in used.items()}
    digests = store_found(client, [file for files in chosen.values() for file in files])
    dependencies, notes = [], []
    for one, files in chosen.items():
        dependencies.append(_keep(client, one, files, digests, "scoring" if one.name in scoring else "runtime"))
        notes += _notes(one, files, digests)
    return Locked(dependencies=tuple(dependencies), notes=tuple(notes))


@contextlib.contextmanager
def store_ahead(client: Client, installed: Environment, names: Collection[str]) -> Iterator[None]:
    """Store what may be found to be needed, in the background; what is not, is collected some day.

    Large distributions are left out: they might be stored in vain.
    """
    wanted = [installed.by_name[name] for name in sorted(names)]
    small = [one for one in wanted if one.source is None and _size(one) < _MOST_AHEAD]
    with ThreadPoolExecutor(1, "amlsdk-packages") as pool:
        ahead = pool.submit(lambda: store_found(client, [file for one in small for file in _chosen(one, ())]))
        yield
        # Where it failed, it will fail again when it matters, or is gone.
        ahead.exception()


def _size(one: Distribution) -> int:
    return sum(int(row.size) for row in one.record if row.size.isdigit())


def store_found(client: Client, files: Sequence[FoundFile]) -> Digests:
    """Store files; those that have not changed since the last time are not read."""
    known = StatCache.load(client.spool.cache, Path("packages"))
    hashed_at_ns = time.time_ns()
    # By place, since several folders of packages may have a file of the same path.
    by_place = {attrs.evolve(file, path=file.location): file for file in files}
    found = store_files(by_place, client.blobs, known)
    kept = [_known(path, entry) for path, entry in known.known.items()]
    fresh = {file.path: (file, digest) for file, (digest, _) in found.items()}
    known.save([*(pair for pair in kept if pair[0].path not in fresh), *fresh.values()], hashed_at_ns=hashed_at_ns)
    return {by_place[file]: content for file, content in found.items()}


def entry_of(file: FoundFile, content: tuple[str, int]) -> FileEntry:
    """Return a file of a tree."""
    digest, size = content
    return FileEntry(path=file.path, digest=digest, size_bytes=size, mode="executable" if file.executable else "file")


def found_at(path: str, place: Path) -> FoundFile | None:
    """Return a file as it is now; None where none is."""
    location = os.fspath(place)
    try:
        found = os.lstat(location)
        if stat.S_ISLNK(found.st_mode):
            # Hashing never follows a link.
            location = os.path.realpath(location)
            found = os.stat(location)  # noqa: PTH116  # thousands of files: a Path costs more than the call
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    state = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    return FoundFile(path, location, found.st_size, state, bool(found.st_mode & stat.S_IXUSR))


def _chosen(one: Distribution, used: Collection[str]) -> list[FoundFile]:
    places = files_of(one)
    found = (found_at(path, places[path]) for path in keep(places, used))
    return [file for file in found if file is not None]


def _keep(client: Client, one: Distribution, files: Sequence[FoundFile], digests: Digests, purpose: str) -> Dependency:
    entries = [entry_of(file, digests[file]) for file in files if file in digests]
    rows = [(entry.path, entry.digest, entry.size_bytes) for entry in entries]
    record = record_text(rows, one.info).encode()
    digest = sha256_of(record)
    client.blobs.put(digest, ByteStream.of(record))
    entries.append(FileEntry(path=f"{one.info}/RECORD", digest=digest, size_bytes=len(record)))
    kept = client.send(CreateFileSet(entries=tuple(sorted(entries, key=lambda entry: entry.path))))
    return Dependency(
        name=one.name, version=one.version, files=kept.digest, size_bytes=kept.size_bytes, purpose=purpose
    )


def _known(path: str, entry: list[int | str]) -> tuple[FoundFile, str]:
    *state, digest = entry
    size, modified, changed, inode = map(int, state)
    return FoundFile(path, path, size, (size, modified, changed, inode), executable=False), str(digest)


def _notes(one: Distribution, files: Sequence[FoundFile], digests: Digests) -> list[str]:
    if one.source is not None:
        return [
            f"{one.name} {one.version} is installed as an editable one: its files were taken from its source folder"
        ]
    if not one.record:
        return [f"{one.name} {one.version} has no list of its files; they were taken as they are, and not verified"]
    written = {row.path: row.sha256 for row in one.record if row.sha256}
    differing = [file.path for file in files if file in digests and _differs(written.get(file.path), digests[file][0])]
    if not differing:
        return []
    return [f"{one.name} {one.version} was changed after it was installed: {listed(differing, most=4)}"]


def _differs(written: str | None, digest: str) -> bool:
    return written is not None and written.rstrip("=") != checked_hash(digest)
