"""Finding the secret store that a URL means."""

from __future__ import annotations

from amlsdk import plugins
from amlsdk.errors import InvalidArgument
from amlsdk.storage.secrets.base import SecretStore

__all__ = ["open_secrets"]


def open_secrets(url: str, *, workspace_id: str) -> SecretStore:
    """Return the secrets of a workspace in the store that a URL names (entry-point group `amlsdk.secret_stores`).

    Args:
        url: Such as `https://team.vault.azure.net`.
        workspace_id: Whose secrets are meant.

    Raises:
        InvalidArgument: There is no store for such URLs, or it is none.
        MissingDependency: A package it needs is not installed.
    """
    scheme, separator, _ = url.partition("://")
    known = plugins.names("amlsdk.secret_stores")
    if not separator or scheme.lower() not in known:
        places = ", ".join(f"{name}://..." for name in known)
        raise InvalidArgument(f"{url!r} names no place for secrets; there are {places}")
    store: SecretStore = plugins.load("amlsdk.secret_stores", scheme.lower())(url, workspace_id)
    return store
