"""Secrets: named texts of a workspace that runs and deployments are given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations.secrets import DeleteSecret, GetSecret, ListSecrets, SetSecret
from amlsdk.records.names import listed
from amlsdk.records.secrets import SecretRecord, check_secret_name
from amlsdk.resources.arguments import check_items, shown
from amlsdk.resources.paging import all_items

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["VARIABLE", "SecretCollection", "given_secrets"]

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SecretCollection:
    """The secrets of a workspace, by name. Iterating gives names; values are read one by one."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def set(self, name: str, value: str) -> SecretRecord:
        """Keep a secret, over what was kept under its name.

        What runs already keeps the value it was given.

        Args:
            name: 1 to 127 letters, digits, `-` or `_`.
            value: A text of 1 to 25 000 bytes of UTF-8.

        Raises:
            InvalidArgument: Name or value can't be kept.
            MissingDependency: A folder encrypts with the package cryptography, which is not installed.
        """
        check_secret_name(name)
        if not isinstance(value, str):
            # What it is instead is not shown.
            raise InvalidArgument(f"the secret {name!r} is a text, not {type(value).__name__}")
        return self._client.send(SetSecret(name=name, value=value))

    def get(self, name: str) -> str:
        """Return the value of a secret; readers of a workspace may not.

        Raises:
            NotFound: There is none of this name.
            OperationFailed: It can't be decrypted: its key is gone; the message says what to do.
        """
        check_secret_name(name)
        try:
            return self._client.send(GetSecret(name=name)).value
        except NotFound as error:
            raise NotFound(f"{error}{self._hint()}") from error

    def list(self) -> list[SecretRecord]:
        """Return what there is, by name: `.name`, `.created_at`, `.updated_at`, `.user`; no values."""
        return list(all_items(self._client, ListSecrets(limit=1000)))

    def delete(self, name: str) -> None:
        """Delete a secret; an absent one is no error. What runs already keeps the value it was given."""
        self._client.send(DeleteSecret(name=check_secret_name(name)))

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return (record.name for record in all_items(self._client, ListSecrets(limit=1000)))

    def __contains__(self, name: object) -> bool:
        """Say whether there is a secret of this name."""
        return any(name == known for known in self)

    def __getitem__(self, name: str) -> str:
        """Return the value of a secret."""
        return self.get(name)

    def _hint(self) -> str:
        known = [repr(name) for name in self]
        return f"; there are {listed(known)}" if known else ""

    def __repr__(self) -> str:
        from amlsdk.resources.values.text_views import table_text

        rows = [[record.name, record.updated_at.astimezone(), record.user] for record in self.list()]
        return table_text(["name", "set", "by"], rows) if rows else "no secrets"


def given_secrets(
    client: Client, value: Any, *, what: str, variables: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the names of secrets by the environment variable that each is to be given in.

    Args:
        client: The connection.
        value: That mapping, or a list of names: `db-password` is given as `DB_PASSWORD`; or None.
        what: How messages name it, as `submit(secrets=...)`.
        variables: Other environment variables, of which none may be the same.

    Raises:
        InvalidArgument: It is neither, or names a secret that the workspace has not, or a variable that can't be.
    """
    wanted = _by_variable(value, what)
    for variable, name in wanted.items():
        _check_variable(variable, what)
        check_secret_name(name)
        if variable in (variables or {}):
            raise InvalidArgument(f"{what}: {variable} is among the environment variables already; leave one out")
    if wanted:
        _check_known(client, wanted.values(), what)
    return wanted


def _by_variable(value: Any, what: str) -> dict[str, str]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    names = [check_secret_name(name) for name in check_items(value, what=what, of="names of secrets")]
    return {name.replace("-", "_").upper(): name for name in names}


def _check_variable(variable: Any, what: str) -> None:
    if not isinstance(variable, str) or not VARIABLE.fullmatch(variable):
        raise InvalidArgument(
            f"{what}: {shown(variable)} can't name an environment variable; "
            "a mapping like {'DB_PASSWORD': 'db-password'} names others"
        )
    if variable.startswith("AMLSDK_"):
        raise InvalidArgument(f"{what}: variables named AMLSDK_... are set by amlsdk itself, not {variable!r}")


def _check_known(client: Client, names: Any, what: str) -> None:
    known = set(SecretCollection(client))
    for name in names:
        if name not in known:
            there = listed(sorted(map(repr, known))) if known else "none"
            raise InvalidArgument(
                f"{what}: this workspace has no secret {name!r}; there are {there}. "
                f"ws.secrets.set({name!r}, ...) or `aml secret set {name}` makes it"
            )
