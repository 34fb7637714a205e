"""Secrets of a workspace: named texts that runs and deployments are given."""

from __future__ import annotations

import datetime as dt
import re

import attrs

from amlsdk.errors import InvalidArgument

__all__ = ["MOST_SECRET_BYTES", "SecretRecord", "SecretValue", "check_secret_name"]

# What Azure Key Vault takes (learn.microsoft.com/azure/key-vault/secrets/about-secrets).
MOST_SECRET_BYTES = 25_000
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,125}[A-Za-z0-9])?")


@attrs.frozen(kw_only=True)
class SecretRecord:
    """That there is a secret; never what it is.

    Args:
        name: Its name.
        created_at: When it was first set (UTC).
        updated_at: When it was last set (UTC).
        user: Who last set it.
    """

    name: str
    created_at: dt.datetime
    updated_at: dt.datetime
    user: str = ""


@attrs.frozen(kw_only=True)
class SecretValue:
    """A secret, for whoever is to use it.

    Args:
        name: Its name.
        value: The text.
    """

    name: str
    value: str = attrs.field(repr=False)


def check_secret_name(name: str) -> str:
    """Return what may name a secret.

    Raises:
        InvalidArgument: Not 1 to 127 letters, digits, `-` or `_`, with a letter or digit at both ends.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidArgument(
            f"{name!r:.160} can't name a secret: 1 to 127 letters, digits, '-' or '_', "
            "with a letter or digit at both ends"
        )
    return name
