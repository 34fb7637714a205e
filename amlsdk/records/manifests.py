"""Manifests: everything that a scoring service is made of, by digest."""

from __future__ import annotations

import datetime as dt

import attrs

__all__ = ["Dependency", "ManifestModel", "ManifestRecord"]


@attrs.frozen(kw_only=True)
class ManifestModel:
    """A version of a model that a manifest holds.

    Args:
        id: Of the version.
        name: Of the model; its files stand in a folder of this name.
        version: Its number.
        digest: Of the FileSet of its files.
        format: `skops`, `onnx`, `safetensors`, `pickle` or `files`.
    """

    id: str
    name: str
    version: int
    digest: str
    format: str


@attrs.frozen(kw_only=True)
class Dependency:
    """A distribution that scoring imports, locked.

    Args:
        name: Normalised (PEP 503).
        version: Of the installed distribution.
        files: Digest of the FileSet of its files, relative to a folder of packages; an image is built from these, so
            that it builds again without an index.
        size_bytes: Of those files.
        purpose: `scoring` where the script imports it, `runtime` where only the service around it does.
        wheel: File name of the wheel that an index has for it, or None where none could be had.
        sha256: Of that wheel, 64 hexadecimal digits, or None.
        by_hand: Whether it was named when the manifest was made, wherever else it was found.
    """

    name: str
    version: str
    files: str
    size_bytes: int
    purpose: str = "scoring"
    wheel: str | None = None
    sha256: str | None = None
    by_hand: bool = False


@attrs.frozen(kw_only=True)
class ManifestRecord:
    """A version of a manifest; it never changes.

    Args:
        id: Of this version.
        name: Of the manifest.
        version: Counts from 1 per name; numbers of deleted versions are not used again.
        digest: SHA-256 over all that an image is made of: equal ones give equal images on the same base.
        models: The models, the first one first.
        files: Digest of the FileSet with the scoring script, what lies beside it, and `service.json`
            (`records.serving.ServiceSpec`), which has schema and sample.
        script: Path of the scoring script in there.
        dependencies: Locked, sorted by name.
        python: Version of the Python it was made with, such as `3.11`.
        platform: Of the machine it was made on, such as `linux-x86_64`.
        unsafe: Files of the models that are pickle-based, as `model/path`: loading them runs code of their author.
        notes: What could not be found, hashed or verified, a sentence each.
        description: Free text.
        user: Who made it.
        created_at: When (UTC).
        same_as: Version that has the same digest already, or None.
    """

    id: str
    name: str
    version: int
    digest: str
    models: tuple[ManifestModel, ...]
    files: str
    script: str
    python: str
    platform: str
    user: str
    created_at: dt.datetime
    dependencies: tuple[Dependency, ...] = ()
    unsafe: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    description: str = ""
    same_as: int | None = None
