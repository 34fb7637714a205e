"""The distributions that this interpreter finds, told by their own files (PEP 376, PEP 610, PEP 627)."""

from __future__ import annotations

import csv
import functools
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import attrs

__all__ = ["Distribution", "Environment", "RecordRow", "environment", "normalised"]

_NAME = re.compile(r"^Name:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)
_VERSION = re.compile(r"^Version:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)
_REQUIRES = re.compile(r"^Requires-Dist:[ \t]*(.+)$", re.MULTILINE | re.IGNORECASE)
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""\bextra\s*==\s*['"]([^'"]+)['"]""")
_SITES = frozenset({"site-packages", "dist-packages"})


def normalised(name: str) -> str:
    """Return a distribution's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@attrs.frozen
class RecordRow:
    """A file of a distribution as its RECORD has it.

    Args:
        path: Relative to the folder of packages.
        sha256: URL-safe base64 without padding, or empty.
        size: In bytes as text, or empty.
    """

    path: str
    sha256: str
    size: str


@attrs.frozen(kw_only=True, slots=False)
class Distribution:
    """An installed distribution.

    Args:
        name: Normalised.
        version: Its version.
        site: The folder of packages it lies in.
        info: Name of its `.dist-info` or `.egg-info` there.
        header: The head of its metadata.
    """

    name: str
    version: str
    site: Path
    info: str
    header: str = attrs.field(repr=False)

    @functools.cached_property
    def record(self) -> tuple[RecordRow, ...]:
        """The files it installed; none where it did not write that down."""
        try:
            with (self.site / self.info / "RECORD").open(encoding="utf-8", newline="") as lines:
                return tuple(_row(row) for row in csv.reader(lines) if row)
        except (OSError, UnicodeDecodeError, csv.Error):
            return ()

    @functools.cached_property
    def tops(self) -> frozenset[str]:
        """Names of the modules and packages that it brings, as an import begins."""
        # Not `record`: reading it whole takes three times as long, and this is asked of everything installed.
        lines = _text(self.site / self.info / "RECORD").splitlines()
        names = {line.partition(",")[0].partition("/")[0].lstrip('"') for line in lines} or set(self._told_tops())
        names |= {name for folder in self.sources for name in _modules_in(folder, self._told_tops() or [self.name])}
        return frozenset(_as_module(name) for name in names if _is_module(name))

    @functools.cached_property
    def source(self) -> Path | None:
        """The project's folder where it is installed as an editable one, else None."""
        try:
            told = json.loads((self.site / self.info / "direct_url.json").read_text("utf-8"))
            parts = urlsplit(told["url"])
            editable = told.get("dir_info", {}).get("editable") is True
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return Path(unquote(parts.path)) if editable and parts.scheme == "file" else None

    @functools.cached_property
    def sources(self) -> tuple[Path, ...]:
        """Folders of packages that an editable installation points at."""
        if self.source is None:
            return ()
        paths = [row.path for row in self.record if row.path.endswith(".pth") and "/" not in row.path]
        lines = [line.strip() for path in paths for line in _text(self.site / path).splitlines()]
        folders = [Path(line) for line in lines if line and not line.startswith(("#", "import ", "import\t"))]
        # Editable installations by an import hook name no folder; their code is in one of these two.
        return tuple(each for each in folders or [self.source / "src", self.source] if each.is_dir())

    def requires(self, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
        """Iterate over the distributions it says it needs, with the extras of each; other markers are not looked at."""
        for line in _REQUIRES.findall(self.header):
            requirement, _, marker = line.partition(";")
            wanted = set(map(normalised, _EXTRA.findall(marker)))
            found = _REQUIREMENT.match(requirement)
            if found and (not wanted or wanted & extras):
                yield normalised(found[1]), frozenset(map(normalised, re.findall(r"[\w.-]+", found[2] or "")))

    def _told_tops(self) -> list[str]:
        return _text(self.site / self.info / "top_level.txt").split()


@attrs.frozen(slots=False)
class Environment:
    """The distributions of this interpreter.

    Args:
        sites: Folders of packages, in the order in which they are searched.
        by_name: The one of each name that an import finds.
    """

    sites: tuple[Path, ...]
    by_name: dict[str, Distribution]

    @functools.cached_property
    def by_top(self) -> dict[str, list[Distribution]]:
        """Distributions by the names they bring; several bring parts of a namespace package."""
        found: dict[str, list[Distribution]] = {}
        for one in self.by_name.values():
            for top in one.tops:
                found.setdefault(top, []).append(one)
        return found

    @functools.cached_property
    def path(self) -> tuple[str, ...]:
        """What an interpreter needs on its path to find them all."""
        sources = [folder for one in self.by_name.values() for folder in one.sources]
        return tuple(dict.fromkeys(map(str, [*self.sites, *sources])))

    def closure(self, tops: Iterable[str], also: Iterable[tuple[str, frozenset[str]]] = ()) -> set[str]:
        """Names of the distributions that bring modules, and of all that these say they need.

        Args:
            tops: Names of modules.
            also: Names of distributions with their extras.
        """
        waiting = [(one.name, frozenset[str]()) for top in tops for one in self.by_top.get(top, ())]
        waiting += also
        seen: set[tuple[str, frozenset[str]]] = set()
        while waiting:
            name, extras = waiting.pop()
            one = self.by_name.get(name)
            if one is not None and (name, extras) not in seen:
                seen.add((name, extras))
                waiting += one.requires(extras)
        return {name for name, _ in seen}

    def owner(self, file: str) -> tuple[Distribution, str] | None:
        """Return the distribution that a file belongs to, and the file's path in its folder of packages."""
        for folder in sorted(self.path, key=len, reverse=True):
            if file.startswith(folder + "/"):
                path = file[len(folder) + 1 :]
                found = self._owner_of(path, Path(folder))
                if found is not None:
                    return found, path
        return None

    def _owner_of(self, path: str, folder: Path) -> Distribution | None:
        top = _as_module(path.partition("/")[0])
        fitting = [one for one in self.by_top.get(top, ()) if folder in (one.site, *one.sources)]
        if len(fitting) > 1:
            listed = [one for one in fitting if any(row.path == path for row in one.record)]
            fitting = listed or fitting
        return fitting[0] if fitting else None


def environment() -> Environment:
    """Look at what this interpreter finds now."""
    sites = [Path(entry) for entry in sys.path if Path(entry).name in _SITES and Path(entry).is_dir()]
    found: dict[str, Distribution] = {}
    for site in sites:
        for info in sorted(site.iterdir()):
            if info.suffix in {".dist-info", ".egg-info"}:
                one = _read(site, info)
                if one is not None:
                    found.setdefault(one.name, one)
    return Environment(tuple(sites), found)


def _read(site: Path, info: Path) -> Distribution | None:
    file = info / "METADATA" if info.suffix == ".dist-info" else info / "PKG-INFO" if info.is_dir() else info
    header = _text(file).partition("\n\n")[0]
    name, version = _NAME.search(header), _VERSION.search(header)
    if name is None or version is None:
        return None
    return Distribution(name=normalised(name[1]), version=version[1], site=site, info=info.name, header=header)


def _row(row: list[str]) -> RecordRow:
    path, digest, size = (*row, "", "")[:3]
    return RecordRow(path, digest.removeprefix("sha256=") if digest.startswith("sha256=") else "", size)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""


def _is_module(name: str) -> bool:
    return name not in {"", "..", "__pycache__"} and not name.endswith((".dist-info", ".egg-info", ".pth"))


def _as_module(name: str) -> str:
    return name.partition(".")[0]


def _modules_in(folder: Path, names: list[str]) -> list[str]:
    wanted = {name.replace("-", "_") for name in names}
    found = [each.name for each in folder.iterdir() if each.suffix == ".py" or (each / "__init__.py").is_file()]
    fitting = [name for name in found if _as_module(name) in wanted]
    return fitting or found
