"""The keys of callers: either of two is accepted; they change while the service runs."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Iterable, MutableMapping
from pathlib import Path

from amlsdk.errors import InvalidArgument

__all__ = ["Keys", "keys_of"]

PRIMARY, SECONDARY, FILE, SWITCH = (
    "AMLSDK_PRIMARY_KEY",
    "AMLSDK_SECONDARY_KEY",
    "AMLSDK_KEYS_FILE",
    "AMLSDK_KEYS",
)


class Keys:
    """Tells whether a key is one of those that are accepted.

    Args:
        accepted: The keys.
        file: Where they are read from again when it changes; or None.
    """

    def __init__(self, accepted: Iterable[str], *, file: Path | None = None) -> None:
        self._file = file
        self._seen: tuple[int, ...] | None = None
        self._accepted = [key.encode() for key in accepted]
        self.look()

    def look(self) -> None:
        """Read the file again if it has changed: what was removed from it is accepted no longer."""
        if self._file is None:
            return
        try:
            status = self._file.stat()
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen != self._seen:
                self._accepted = _read(self._file)
                self._seen = seen
        except (OSError, ValueError) as error:
            # Being replaced, at worst; those known before stay. At the start there are none, and that is an error.
            if self._seen is None:
                raise InvalidArgument(f"the keys can't be read from {self._file.name}: {error}") from error

    def accept(self, key: bytes) -> bool:
        """Return whether a key is accepted, taking as long for one as for another."""
        if self._is_one(key):
            return True
        if self._file is None:
            return False
        self.look()
        return self._is_one(key)

    def _is_one(self, key: bytes) -> bool:
        found = False
        for accepted in self._accepted:
            found |= hmac.compare_digest(key, accepted)
        return found


def keys_of(file: Path | None, environment: MutableMapping[str, str], *, wanted: bool) -> Keys | None:
    """Return the keys a service was given, None where it is open to all; takes them out of the environment.

    Raises:
        InvalidArgument: There are none, and nothing says that none are wanted.
    """
    given = [environment.pop(name, "") for name in (PRIMARY, SECONDARY)]
    if not wanted or environment.get(SWITCH, "").lower() == "off":
        return None
    named = environment.get(FILE)
    file = file or (Path(named) if named else None)
    if file is not None:
        return Keys((), file=file)
    if not any(given):
        raise InvalidArgument(
            f"the service was given no keys; set {PRIMARY} and {SECONDARY}, or {FILE} to a JSON file that has "
            f"`primary` and `secondary`, or {SWITCH}=off to let everybody in who reaches it"
        )
    return Keys([key for key in given if key])


def _read(file: Path) -> list[bytes]:
    read = json.loads(file.read_bytes())
    keys = [read[name] for name in ("primary", "secondary") if read.get(name)] if isinstance(read, dict) else []
    if not keys or not all(isinstance(key, str) for key in keys):
        raise ValueError(f"an object with `primary` and `secondary` is expected in {os.fspath(file.name)}")
    return [key.encode() for key in keys]
