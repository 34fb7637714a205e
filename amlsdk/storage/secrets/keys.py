"""The keys that secrets are encrypted with: in a file, or in the environment for several servers."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path

from amlsdk.errors import Unavailable

__all__ = ["KEY_BYTES", "KEY_VARIABLE", "keys_at"]

KEY_BYTES = 32
KEY_VARIABLE = "AMLSDK_SECRETS_KEY"


def keys_at(path: Path, *, make: bool) -> tuple[bytes, ...]:
    """Return the keys: the first one seals, every one opens, so that a new one can be put before an old one.

    They are those of the environment variable AMLSDK_SECRETS_KEY, where it is set, with commas between them; else
    the lines of a file.

    Args:
        path: Of the file.
        make: Whether one is made where there is none.

    Raises:
        Unavailable: There is none, or one is no key, or the file can't be read.
    """
    given = os.environ.get(KEY_VARIABLE)
    if given:
        return _read(given.split(","), where=f"the environment variable {KEY_VARIABLE}")
    try:
        if make and not path.exists():
            _make(path)
        lines = path.read_text("ascii").split()
    except (OSError, ValueError) as error:
        raise Unavailable(f"the key of the secrets, {str(path)!r}, can't be read: {error}; restore it") from error
    return _read(lines, where=str(path))


def _read(texts: list[str], *, where: str) -> tuple[bytes, ...]:
    keys = tuple(_key(text.strip()) for text in texts if text.strip())
    if not keys or None in keys:
        # What is there instead is not shown: it may be most of a key.
        raise Unavailable(
            f"{where} is expected to have keys of secrets, each {KEY_BYTES} random bytes in base64url; restore it"
        )
    return tuple(key for key in keys if key is not None)


def _key(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, altchars=b"-_", validate=True)
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES else None


def _make(path: Path) -> None:
    # Under another name first: two that come at once must not read a half, nor have two keys.
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, base64.urlsafe_b64encode(os.urandom(KEY_BYTES)) + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # What is sealed with a key that a power cut takes away is lost.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
