"""Registered models."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["ModelRecord"]


@attrs.frozen(kw_only=True)
class ModelRecord:
    """A version of a registered model.

    Args:
        id: Of this version.
        name: Of the model.
        version: Counts from 1 per name; numbers of deleted versions are not used again.
        digest: Of the FileSet that holds its files.
        size_bytes: Of its files.
        format: `skops`, `onnx`, `safetensors`, `pickle` or `files`.
        algorithm: JSON: `class` and `hyperparameters` where known, else empty.
        run_id: The run that made it, or None.
        description: Free text.
        tags: Text by name.
        aliases: Names that point at this version, sorted.
        user: Who registered it.
        created_at: When (UTC).
        same_as: Version that has the same content already, or None.
    """

    id: str
    name: str
    version: int
    digest: str
    size_bytes: int
    format: str
    user: str
    created_at: dt.datetime
    algorithm: Mapping[str, Any] = attrs.field(factory=dict)
    run_id: str | None = None
    description: str = ""
    tags: Mapping[str, str] = attrs.field(factory=dict)
    aliases: tuple[str, ...] = ()
    same_as: int | None = None
