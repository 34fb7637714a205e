"""Which packages are installed."""

from __future__ import annotations

import functools
import os
import re
import sys
from importlib import metadata

__all__ = ["installed_packages"]

_NAME = re.compile(r"^Name:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)
_VERSION = re.compile(r"^Version:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)
_FILES = ("METADATA", "PKG-INFO", "")  # a wheel's, an egg's folder, and an egg-info that is a file itself


def installed_packages() -> dict[str, str]:
    """Return the versions of all packages that can be imported, by normalized name (PEP 503), sorted.

    Where a package is installed twice, the one that an import finds counts. Broken ones are left out. The answer is
    kept for the process, for each entry of `sys.path` until that folder changes.
    """
    found: dict[str, str] = {}
    for entry in sys.path:
        for name, version in _on_path(entry, _changed_at(entry)):
            found.setdefault(name, version)
    return dict(sorted(found.items()))


def _changed_at(entry: str) -> int:
    try:
        return os.stat(entry or ".").st_mtime_ns  # noqa: PTH116  # a Path costs more than the call
    except (OSError, ValueError):
        return 0


# By entry, since a script that writes beside itself changes one folder of the path all the time.
@functools.lru_cache(maxsize=64)
def _on_path(entry: str, changed_at: int) -> tuple[tuple[str, str], ...]:  # noqa: ARG001  # part of the cache's key
    try:
        return tuple(pair for one in metadata.distributions(path=[entry]) if (pair := _name_and_version(one)))
    except Exception:  # noqa: BLE001  # finders and loaders of other packages may raise anything
        return ()


def _name_and_version(distribution: metadata.Distribution) -> tuple[str, str] | None:
    try:
        header = _header(distribution)
    except Exception:  # noqa: BLE001  # text that is not UTF-8, a file gone meanwhile, a foreign loader
        return None
    name, version = _NAME.search(header), _VERSION.search(header)
    return (re.sub(r"[-_.]+", "-", name[1]).lower(), version[1]) if name and version else None


def _header(distribution: metadata.Distribution) -> str:
    # The headers end at the first empty line; parsing all of it as mail takes three times as long.
    for file in _FILES:
        text = distribution.read_text(file)
        if text:
            return text.partition("\n\n")[0]
    return ""
