"""Files that a script opens."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

__all__ = ["Opened"]

_MOST = 50
_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/", "/lib/", "/lib64/", "/opt/", "/run/", "/var/lib/")


class Opened:
    """Remembers files that are opened for reading outside of some folders."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = (*_SYSTEM, *(f"{os.path.realpath(folder)}/" for folder in known), *(f"{each}/" for each in known))
        self._paths: dict[str, None] = {}
        self._on = False

    def watch(self) -> None:
        """Begin; a hook of this kind can't be taken away again."""
        self._on = True
        sys.addaudithook(self._hear)

    def rest(self) -> None:
        """End."""
        self._on = False

    def outside(self) -> list[str]:
        """Files that are there, outside of the known folders."""
        return [path for path in self._paths if os.path.isfile(path)]  # noqa: PTH113

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not self._on or len(self._paths) >= _MOST:
            return
        path, mode, flags = arguments
        is_written = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if mode is None else set(mode) & set("wax+")
        if isinstance(path, str) and not is_written:
            path = os.path.abspath(path)  # noqa: PTH100
            if not path.startswith(self._known):
                self._paths[path] = None
