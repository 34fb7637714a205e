"""Accounts of Azure Blob Storage: found, signed in to, asked again where that helps."""

from __future__ import annotations

import functools
import os
from typing import Any

from amlsdk import plugins
from amlsdk.errors import InvalidArgument

__all__ = ["code_of", "container_client", "reason_of"]

_CONNECT_S, _SILENCE_S = 10, 60
_TRIES, _FIRST_PAUSE_S, _LONGEST_PAUSE_S = 6, 0.2, 8
# Longer than that a request is not held up; whoever asked is told, and may ask again.
_LONGEST_ASKED_S = 30.0
_FOR_ITS_OWN = ("hosts", "location_mode", "retry_to_secondary", "retry_hook")
_WHAT_HELPS = {
    "ContainerNotFound": "make it first: az storage container create --name NAME",
    "ContainerBeingDeleted": "it is being deleted; wait, then make it again",
    "ContainerDisabled": "it is disabled; ask whoever runs the account",
    "AuthenticationFailed": "see that the key or token is right and the clock too",
    "AuthorizationFailure": "see that the key or token is right, and that the account's firewall lets this machine in",
    "AuthorizationPermissionMismatch": "give the identity the role Storage Blob Data Contributor",
    "NoAuthenticationInformation": "set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or sign in with az login",
    "ServerBusy": "the account takes no more requests now; try again later",
    "InsufficientAccountPermissions": "give the identity the role Storage Blob Data Contributor",
}


def container_client(container: str, account: str | None) -> Any:
    """Return the client of a container; nothing is asked yet.

    Args:
        container: Its name.
        account: A name or host; None where the environment says.

    Raises:
        InvalidArgument: No account is named, or what the environment says can't be meant.
        MissingDependency: A package is not installed.
    """
    sdk = plugins.require("azure.storage.blob", extra="azure")
    options = {
        "retry_policy": _retrying()(),
        "connection_timeout": _CONNECT_S,
        "read_timeout": _SILENCE_S,
        "max_single_get_size": 4 << 20,
        "max_chunk_get_size": 4 << 20,
    }
    said = None if account else os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
    url = None if said else _url_of(account)
    try:
        if said:
            return sdk.ContainerClient.from_connection_string(said, container, **options)
        return sdk.ContainerClient(url, container, credential=_credential(), **options)
    except ValueError as error:
        # What it says may hold the key.
        raise InvalidArgument(
            "AZURE_STORAGE_CONNECTION_STRING, or the account's name or key, can't be read; copy it from the portal "
            "(Storage account, Access keys)"
        ) from error


def _url_of(account: str | None) -> str:
    named = account or os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not named:
        raise InvalidArgument(
            "no storage account is named: write azure://container@account, or set AZURE_STORAGE_CONNECTION_STRING or "
            "AZURE_STORAGE_ACCOUNT"
        )
    return f"https://{named if '.' in named else f'{named}.blob.core.windows.net'}"


def _credential() -> Any:
    return os.environ.get("AZURE_STORAGE_KEY") or os.environ.get("AZURE_STORAGE_SAS_TOKEN") or _identity()


@functools.cache
def _identity() -> Any:
    # One for all stores of a process, as each would ask for a token of its own.
    return plugins.require("azure.identity", extra="azure").DefaultAzureCredential()


@functools.cache
def _retrying() -> Any:
    """Return the policy by which requests are sent again: on 429, 5xx and lost connections, as Retry-After says.

    That of azure-storage-blob itself knows neither 429 nor Retry-After.
    """
    policies = plugins.require("azure.core.pipeline.policies", extra="azure")

    class Retrying(policies.RetryPolicy):  # type: ignore[misc, name-defined]  # found only when it is installed
        def __init__(self) -> None:
            super().__init__(
                retry_total=_TRIES,
                retry_status=_TRIES,
                retry_backoff_factor=_FIRST_PAUSE_S,
                retry_backoff_max=_LONGEST_PAUSE_S,
            )

        def send(self, request: Any) -> Any:
            # What the storage client leaves there for its own policy; no other host is asked here.
            left = {name: request.context.options.pop(name, None) for name in _FOR_ITS_OWN}
            response = super().send(request)
            response.http_response.location_mode = left["location_mode"]
            return response

        def is_retry(self, settings: Any, response: Any) -> bool:
            if (self.get_retry_after(response) or 0.0) > _LONGEST_ASKED_S:
                return False
            return bool(super().is_retry(settings, response))

    return Retrying


def code_of(error: Any) -> str:
    """Return the code that Azure gives an error, or nothing."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))


def reason_of(error: Any) -> str:
    """Return what Azure says in few words; never its own text, in which there may be a signature."""
    status, code = getattr(error, "status_code", None), code_of(error)
    if status is not None:
        helps = _WHAT_HELPS.get(code, "try again, and if that does not help look the code up")
        return f"status {status} {code or 'without a code'}; {helps}"
    if isinstance(error, plugins.require("azure.core.exceptions", extra="azure").ClientAuthenticationError):
        return "nothing signs the request in; set AZURE_STORAGE_KEY to a key of the account, or sign in with az login"
    return f"{_innermost(error)}; see that the account's name is right and can be reached, then try again"


def _innermost(error: BaseException) -> str:
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = getattr(error, "inner_exception", None) or getattr(error, "reason", None) or error.__cause__
        error = inner if isinstance(inner, BaseException) else error
    return (
        (error.strerror or "").lower() or type(error).__name__ if isinstance(error, OSError) else type(error).__name__
    )
