"""amlsdk's own part of an image."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import amlsdk
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.records.manifests import Dependency
from amlsdk.resources.manifesting.locking import entry_of, found_at, store_found
from amlsdk.resources.manifesting.scripts import modules_of
from amlsdk.resources.manifesting.workbench import OWN_PARTS

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["OWN", "lock_runtime", "service_modules"]

OWN = "amlsdk"
_BEGIN = "serve.py"


def lock_runtime(client: Client) -> Dependency:
    """Keep what an image has in `runtime/`."""
    from importlib.metadata import version

    folder = Path(amlsdk.__file__).parent
    places = {f"{OWN}/{path}": folder / path for path in _paths(folder)}
    begin = folder / "scoring" / _BEGIN
    if begin.is_file():
        places[_BEGIN] = begin
    files = [file for path, place in places.items() if (file := found_at(path, place)) is not None]
    digests = store_found(client, files)
    entries = sorted((entry_of(file, digests[file]) for file in files if file in digests), key=lambda entry: entry.path)
    kept = client.send(CreateFileSet(entries=tuple(entries)))
    return Dependency(name=OWN, version=version(OWN), files=kept.digest, size_bytes=kept.size_bytes, purpose="runtime")


@functools.cache
def service_modules() -> frozenset[str]:
    """Modules that the service imports for itself; what it makes arguments with, only some scripts need."""
    folder = Path(amlsdk.__file__).parent
    return modules_of(folder / path for path in _paths(folder) if path.endswith(".py")) - {OWN, "numpy", "pandas"}


def _paths(folder: Path) -> Iterator[str]:
    for part in OWN_PARTS:
        place = folder / part
        if place.is_file():
            yield part
        for file in sorted(place.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file.relative_to(folder).as_posix()
