"""Many files into a store that is asked first what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

from amlsdk.errors import NotFound
from amlsdk.records.filesets import StoredFile
from amlsdk.storage.blobs.copying import digest_of_file

__all__ = ["put_missing"]

R = TypeVar("R")

# A store that is not a folder is waited for rather than worked for.
_PARALLEL = 8
_GROUP = 1000


class _Store(Protocol):
    def missing(self, digests: Iterable[str]) -> tuple[str, ...]: ...

    def put_file(self, path: Path, /) -> tuple[str, int]: ...


def put_missing(store: _Store, paths: Sequence[Path]) -> dict[Path, StoredFile]:
    """Store those of many files whose content is missing, and return what each had; one that is gone is left out.

    Raises:
        InvalidArgument: A file can't be read; the message names it.
    """
    stored: dict[Path, StoredFile] = {}
    with ThreadPoolExecutor(_PARALLEL, "amlsdk-put") as pool:
        for start in range(0, len(paths), _GROUP):
            stored |= _put_group(store, paths[start : start + _GROUP], pool)
    return stored


def _put_group(store: _Store, paths: Sequence[Path], pool: ThreadPoolExecutor) -> dict[Path, StoredFile]:
    had = _of_each(digest_of_file, paths, pool)
    missing = set(store.missing(digest for digest, _ in had.values()))
    new = [path for path, (digest, _) in had.items() if digest in missing]
    # Of equal files all are sent but one: each may change until then, and what was sent is what counts.
    sent = _of_each(store.put_file, new, pool)
    kept = {path: StoredFile(*found, is_new=False) for path, found in had.items() if found[0] not in missing}
    return kept | {path: StoredFile(*found, is_new=True) for path, found in sent.items()}


def _of_each(function: Callable[[Path], R], paths: Sequence[Path], pool: ThreadPoolExecutor) -> dict[Path, R]:
    def unless_gone(path: Path) -> R | None:
        try:
            return function(path)
        except NotFound:
            return None

    return {path: found for path, found in zip(paths, pool.map(unless_gone, paths), strict=True) if found is not None}
