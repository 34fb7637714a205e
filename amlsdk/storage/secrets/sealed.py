"""Secrets encrypted at rest, in the catalogue."""

from __future__ import annotations

import base64
import contextlib
import os
from pathlib import Path

import attrs

from amlsdk.errors import MissingDependency, OperationFailed, Unavailable
from amlsdk.storage.secrets.base import SecretStore

__all__ = ["KEY_BYTES", "SealedSecrets", "key_at"]

KEY_BYTES = 32
_NONCE_BYTES = 12
_FORM = b"\x01"


@attrs.frozen
class SealedSecrets(SecretStore):
    """AES-256 in Galois/Counter mode (NIST SP 800-38D), bound to workspace and name.

    A row that is moved to another name or another workspace can't be opened there.

    Args:
        key_file: Of 32 random bytes in base64, made when the first secret is set; readable by its owner only.
        workspace_id: Whose secrets these are.
    """

    key_file: Path
    workspace_id: str

    def seal(self, name: str, value: str) -> bytes | None:  # noqa: D102
        nonce = os.urandom(_NONCE_BYTES)
        sealed: bytes = _cipher(key_at(self.key_file, make=True)).encrypt(nonce, value.encode(), self._bound(name))
        return _FORM + nonce + sealed

    def open(self, name: str, sealed: bytes | None) -> str:  # noqa: D102
        from cryptography.exceptions import InvalidTag

        remedy = f"restore the key {str(self.key_file)!r} that it was set with, or set the secret again"
        if not sealed or sealed[:1] != _FORM:
            raise OperationFailed(f"the secret {name!r} is not kept in a form that this version knows: {remedy}")
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return str(_cipher(key_at(self.key_file, make=False)).decrypt(nonce, rest, self._bound(name)).decode())
        except InvalidTag as error:
            raise OperationFailed(f"the secret {name!r} can't be opened with this key: {remedy}") from error

    def forget(self, name: str) -> None:  # noqa: D102
        # All there is of it is in the catalogue.
        del name

    def _bound(self, name: str) -> bytes:
        return f"{self.workspace_id}/{name}".encode()


def key_at(path: Path, *, make: bool) -> bytes:
    """Return the key of a file.

    Args:
        path: Of the file.
        make: Whether one is made where there is none.

    Raises:
        Unavailable: There is none, or it is no key, or can't be read.
    """
    try:
        if make and not path.exists():
            _make(path)
        key = base64.urlsafe_b64decode(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Unavailable(f"the key of the secrets, {str(path)!r}, can't be read: {error}; restore it") from error
    if len(key) != KEY_BYTES:
        raise Unavailable(f"the key of the secrets, {str(path)!r}, has {len(key)} bytes, not {KEY_BYTES}; restore it")
    return key


def _make(path: Path) -> None:
    # Under another name first: two that come at once must not read a half, nor have two keys.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, base64.urlsafe_b64encode(os.urandom(KEY_BYTES)))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def _cipher(key: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN202  # imported when used
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise MissingDependency("secrets need the package cryptography: pip install 'amlsdk[server]'") from error
    return AESGCM(key)
