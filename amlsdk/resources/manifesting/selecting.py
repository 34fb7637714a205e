"""Which files of a distribution an image needs."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from amlsdk.resources.manifesting.installed import Distribution

__all__ = ["checked_hash", "files_of", "keep"]

# Sources that extension modules were made of, and what only type checkers read.
_LEFT_OUT_SUFFIXES = (".pyc", ".pyo", ".pyi", ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".inl")
_LEFT_OUT_SOURCES = (".pyx", ".pxd", ".pxi", ".pyf", ".f", ".f90", ".cu", ".cuh", ".a", ".lib")
_OF_THE_INSTALLER = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", "RECORD"})
_TESTS = frozenset({"tests", "test"})


def files_of(one: Distribution) -> dict[str, Path]:
    """Return where each file of a distribution is, by its path in a folder of packages; not yet chosen from."""
    if one.source is not None:
        return _of_source(one)
    if one.record:
        paths = [row.path for row in one.record if not row.path.startswith(("..", "/"))]
        return {path: one.site / path for path in paths}
    # What the system's own packages install has no list of files.
    found: dict[str, Path] = {}
    for top in one.tops:
        found |= _below(one.site, [top, f"{top}.py"])
    return found | _below(one.site, [one.info])


def keep(paths: Iterable[str], used: Iterable[str]) -> list[str]:
    """Choose the files that an image needs.

    Args:
        paths: All files of a distribution.
        used: Those that were imported: folders of tests are kept where something of them was.
    """
    imported = {folder for path in used for folder in _test_folders(path)}
    return [path for path in paths if _is_kept(path) and _test_folders(path) <= imported]


def checked_hash(digest: str) -> str:
    """Return a SHA-256 in hexadecimal digits as RECORD writes it."""
    return base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()


def record_text(rows: Iterable[tuple[str, str, int]], info: str) -> str:
    """Return the RECORD of the files that were kept: path, SHA-256 in hexadecimal digits, size; sorted."""
    lines = [f"{_quoted(path)},sha256={checked_hash(digest)},{size}" for path, digest, size in sorted(rows)]
    return "".join(f"{line}\n" for line in [*lines, f"{_quoted(f'{info}/RECORD')},,"])


def sha256_of(content: bytes) -> str:
    """Return the digest of a blob."""
    return hashlib.sha256(content).hexdigest()


def _quoted(path: str) -> str:
    return f'"{path}"' if "," in path else path


def _is_kept(path: str) -> bool:
    parts = path.split("/")
    name = parts[-1]
    if "__pycache__" in parts or name.endswith((*_LEFT_OUT_SUFFIXES, *_LEFT_OUT_SOURCES)):
        return False
    if len(parts) == 1:
        # Lines of these run when Python starts; an image's packages are found without.
        return not name.endswith((".pth", ".egg-link"))
    is_info = parts[0].endswith((".dist-info", ".egg-info"))
    return not (is_info and len(parts) == 2 and name in _OF_THE_INSTALLER)  # noqa: PLR2004


def _test_folders(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[: at + 1]) for at, part in enumerate(parts[:-1]) if at > 0 and part in _TESTS}


def _of_source(one: Distribution) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in one.sources:
        found |= _below(folder, [name for top in one.tops for name in (top, f"{top}.py")])
    return found | _below(one.site, [one.info])


def _below(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name in names:
        place = folder / name
        if place.is_file():
            found[name] = place
        for parent, folders, files in os.walk(place):
            folders[:] = [each for each in folders if each != "__pycache__"]
            found |= {Path(parent, each).relative_to(folder).as_posix(): Path(parent, each) for each in files}
    return found
