"""The shared libraries of this machine, found as its loader finds them (ld.so(8)), without asking it to run."""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import attrs

from amlsdk.images.elf import ElfFile, read_elf_file

__all__ = ["Found", "Libraries"]

_DEFAULT = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")
_CONFIGURATION = Path("/etc/ld.so.conf")
_DEEPEST = 4


@attrs.frozen(kw_only=True)
class Found:
    """Libraries and what they need.

    Args:
        paths: Where each is, by the name that it is needed by.
        missing: Names that were not found.
    """

    paths: dict[str, Path]
    missing: tuple[str, ...]


class Libraries:
    """Finds libraries that fit to a program.

    Args:
        program: Such as the Python whose libraries these are to be.
        folder: Where the C library of that program is: a folder that its loader searches without being told to.
    """

    def __init__(self, program: ElfFile, folder: Path) -> None:
        self._program = program
        self._folders = list(dict.fromkeys([*_from_environment(), str(folder), *_configured(), *_DEFAULT]))

    def closure(self, files: Iterable[tuple[Path, ElfFile]], *, provided: frozenset[str] = frozenset()) -> Found:
        """Return all libraries that files of this machine need, and those that these need.

        Args:
            files: With their heads.
            provided: Names that need not be looked for.
        """
        waiting = deque(files)
        paths: dict[str, Path] = {}
        missing: set[str] = set()
        while waiting:
            location, elf = waiting.popleft()
            for name in elf.needed:
                if name in paths or name in missing or name in provided:
                    continue
                found = self._find(name, location, elf)
                if found is None:
                    missing.add(name)
                    continue
                paths[name] = found[0]
                waiting.append(found)
        return Found(paths=paths, missing=tuple(sorted(missing)))

    def named(self, names: Iterable[str], *, provided: frozenset[str] = frozenset()) -> Found:
        """Return the libraries of these names, and those that they need."""
        wanted = attrs.evolve(self._program, needed=tuple(names), rpath=())
        return self.closure([(Path("/"), wanted)], provided=provided)

    def _find(self, name: str, location: Path, elf: ElfFile) -> tuple[Path, ElfFile] | None:
        if "/" in name:
            return self._fitting(Path(name))
        origin = os.fspath(location.parent)
        own = [part.replace("${ORIGIN}", origin).replace("$ORIGIN", origin) for part in elf.rpath]
        for folder in [*own, *self._folders]:
            found = self._fitting(Path(folder) / name)
            if found is not None:
                return found
        return None

    def _fitting(self, path: Path) -> tuple[Path, ElfFile] | None:
        elf = read_elf_file(path)
        return (path, elf) if elf is not None and elf.kind == self._program.kind else None


def _from_environment() -> list[str]:
    return [part for part in os.environ.get("LD_LIBRARY_PATH", "").split(":") if part]


def _configured(path: Path = _CONFIGURATION, depth: int = 0) -> list[str]:
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
    folders: list[str] = []
    for line in lines:
        words = line.partition("#")[0].split()
        if words[:1] == ["include"] and depth < _DEEPEST:
            for pattern in words[1:]:
                included = sorted(glob.glob(os.path.join(path.parent, pattern)))  # noqa: PTH118, PTH207  # may be absolute
                folders += [folder for one in included for folder in _configured(Path(one), depth + 1)]
        else:
            folders += words[:1]
    return folders
