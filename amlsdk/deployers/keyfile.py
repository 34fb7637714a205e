"""The keys of a deployment as its workers read them."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import attrs

from amlsdk.errors import Unavailable
from amlsdk.records.deployments import DeploymentKeys

__all__ = ["write_keys"]


def write_keys(path: Path, keys: DeploymentKeys) -> None:
    """Replace the file with the keys in one step; only its owner can read it.

    Raises:
        Unavailable: It can't be written.
    """
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(attrs.asdict(keys), file)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"the keys can't be written to {os.fspath(path)!r}: {error.strerror}") from error
