"""Secrets in Azure Key Vault; the catalogue knows their names only."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from amlsdk import plugins
from amlsdk.errors import InvalidArgument, NotFound, Unavailable
from amlsdk.storage.secrets.base import SecretStore

__all__ = ["KeyVaultSecrets", "vault_name"]

_MOST_NAME = 127
_DELETED = "ObjectIsDeletedButRecoverable"
_RECOVERED_WITHIN_S = 60.0
_CONFLICT = 409


class KeyVaultSecrets(SecretStore):
    """The secrets of a workspace in a vault, each under a name that begins with the workspace's id.

    What is deleted stays recoverable in the vault for as long as its owner has set; setting it again recovers it
    first. The identity needs the permissions get, set, delete and recover of secrets.

    Args:
        url: Of the vault: `https://<name>.vault.azure.net`.
        workspace_id: Whose secrets these are.
        credential: A token credential of Azure; by default whatever `azure.identity.DefaultAzureCredential` finds.

    Raises:
        InvalidArgument: It is no URL of a vault.
        MissingDependency: The packages of Azure are not installed.
    """

    def __init__(self, url: str, workspace_id: str, *, credential: Any = None) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query:
            raise InvalidArgument(f"{url!r} is no URL of a key vault, such as https://team.vault.azure.net")
        self.url, self._workspace_id = url, workspace_id
        self._secrets = plugins.require("azure.keyvault.secrets", extra="azure")
        self._errors = plugins.require("azure.core.exceptions", extra="azure")
        self._credential = credential

    def seal(self, name: str, value: str) -> bytes | None:  # noqa: D102
        stored = self._name(name)
        with self._telling(name):
            try:
                self._client.set_secret(stored, value)
            except self._errors.HttpResponseError as error:
                if not _is_deleted(error):
                    raise
                # Its name can't be used for anything new; what it was comes back for a moment.
                self._client.begin_recover_deleted_secret(stored).wait(_RECOVERED_WITHIN_S)
                self._client.set_secret(stored, value)
        return None

    def open(self, name: str, sealed: bytes | None) -> str:  # noqa: D102
        del sealed
        with self._telling(name):
            value: str | None = self._client.get_secret(self._name(name)).value
        return value or ""

    def forget(self, name: str) -> None:  # noqa: D102
        with contextlib.suppress(NotFound), self._telling(name):
            self._client.begin_delete_secret(self._name(name))

    def _name(self, name: str) -> str:
        return vault_name(self._workspace_id, name)

    @functools.cached_property
    def _client(self) -> Any:
        credential = self._credential
        if credential is None:
            credential = plugins.require("azure.identity", extra="azure").DefaultAzureCredential()
        return self._secrets.SecretClient(vault_url=self.url, credential=credential)

    @contextlib.contextmanager
    def _telling(self, name: str) -> Iterator[None]:
        try:
            yield
        except self._errors.ResourceNotFoundError as error:
            raise NotFound(
                f"the key vault {self.url} has no secret {name!r} of this workspace; set it again"
            ) from error
        except self._errors.AzureError as error:
            raise Unavailable(f"the key vault {self.url} did not take or give {name!r}: {_reason(error)}") from error


def vault_name(workspace_id: str, name: str) -> str:
    """Return the name under which a vault keeps a secret; different secrets have different ones.

    A vault knows 1 to 127 letters, digits and `-`, and no difference between capitals and small letters: `-` is
    doubled, `_` is `-u`, a capital `A` is `-ca`. What would be too long is `-h` with its SHA-256.
    """
    begin = f"aml-{workspace_id}-"
    written = re.sub("[^a-z0-9]", lambda found: _written(found[0]), name)
    if len(begin) + len(written) <= _MOST_NAME:
        return begin + written
    return f"{begin}-h{hashlib.sha256(name.encode()).hexdigest()}"


def _written(letter: str) -> str:
    return {"-": "--", "_": "-u"}.get(letter) or f"-c{letter.lower()}"


def _is_deleted(error: Any) -> bool:
    """Say whether the name is that of a secret that was deleted and can be recovered."""
    if error.status_code != _CONFLICT:
        return False
    inner = getattr(getattr(error, "error", None), "innererror", None) or {}
    return _DELETED in (inner.get("code", ""), getattr(error.error, "code", "")) or _DELETED in str(error)


def _reason(error: Any) -> str:
    status = getattr(error, "status_code", None)
    said = str(error).strip().splitlines() or [type(error).__name__]
    return said[0][:300] if status is None else f"status {status}: {said[0][:300]}"
