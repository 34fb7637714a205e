"""Secrets encrypted at rest, in the catalogue."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs

from amlsdk import plugins
from amlsdk.errors import OperationFailed
from amlsdk.storage.secrets.base import SecretStore
from amlsdk.storage.secrets.keys import keys_at

__all__ = ["SealedSecrets"]

_NONCE_BYTES = 12
_FORM = b"\x01"


@attrs.frozen
class SealedSecrets(SecretStore):
    """AES-256 in Galois/Counter mode (NIST SP 800-38D), bound to workspace and name.

    A row that is moved to another name or another workspace can't be opened there.

    Args:
        key_file: Of the keys, as `keys_at` reads them; made when the first secret is set, for its owner only.
        workspace_id: Whose secrets these are.
    """

    key_file: Path
    workspace_id: str

    def seal(self, name: str, value: str) -> bytes | None:  # noqa: D102
        cipher = _cipher(keys_at(self.key_file, make=True)[0])
        nonce = os.urandom(_NONCE_BYTES)
        sealed: bytes = cipher.encrypt(nonce, value.encode(), self._bound(name))
        return _FORM + nonce + sealed

    def open(self, name: str, sealed: bytes | None) -> str:  # noqa: D102
        remedy = "restore the key that it was set with, or set the secret again"
        if not sealed or sealed[:1] != _FORM:
            raise OperationFailed(f"the secret {name!r} is not kept in a form that this version knows: {remedy}")
        wrong = plugins.require("cryptography.exceptions", extra="secrets").InvalidTag
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        for key in keys_at(self.key_file, make=False):
            try:
                return str(_cipher(key).decrypt(nonce, rest, self._bound(name)).decode())
            except (wrong, ValueError):  # a row that was cut short has no whole nonce or tag
                continue
        raise OperationFailed(f"the secret {name!r} can't be opened with any key that is here: {remedy}")

    def forget(self, name: str) -> None:  # noqa: D102
        # All there is of it is in the catalogue.
        del name

    def _bound(self, name: str) -> bytes:
        return f"{self.workspace_id}/{name}".encode()


def _cipher(key: bytes) -> Any:
    ciphers = plugins.require("cryptography.hazmat.primitives.ciphers.aead", extra="secrets")
    return ciphers.AESGCM(key)
