"""Images: self-contained container images, made of manifests."""

from __future__ import annotations

import datetime as dt

import attrs

from amlsdk.records.jobs import ProcessIdentity

__all__ = ["BUILT", "HOST_BASE", "ImageRecord", "ImageStatus", "LayerKind", "LayerRecord"]

# The base of an image that has the Python of the machine it was built on.
HOST_BASE = "host"


class ImageStatus:
    """The states of an image."""

    BUILDING = "Building"
    CANCEL_REQUESTED = "CancelRequested"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"


BUILT = frozenset({ImageStatus.COMPLETED, ImageStatus.FAILED, ImageStatus.CANCELED})


class LayerKind:
    """What is in a layer, in the order of the layers."""

    BASE = "base"
    PYTHON = "python"
    DEPENDENCIES = "dependencies"
    RUNTIME = "runtime"
    MODEL = "model"
    SCRIPT = "script"


@attrs.frozen(kw_only=True)
class LayerRecord:
    """A layer of an image.

    Args:
        kind: One of `LayerKind`.
        digest: SHA-256 of the blob, as it is stored: 64 hexadecimal digits.
        diff_id: SHA-256 of the tar archive in it.
        media_type: Of the blob, as in the OCI image specification.
        size_bytes: Of the blob.
        unpacked_bytes: Of the files in it.
    """

    kind: str
    digest: str
    diff_id: str
    media_type: str
    size_bytes: int
    unpacked_bytes: int


@attrs.frozen(kw_only=True)
class ImageRecord:
    """A version of an image.

    Args:
        id: Of this version.
        name: Of the image.
        version: Counts from 1 per name; numbers of deleted versions are not used again.
        manifest_id: What it was made of.
        builder: Name of the adapter that makes it, such as `oci`.
        base: `host` for the Python of the machine it is built on, else what was given, as text.
        status: One of `ImageStatus`.
        step: What is being done, or the step that failed.
        error: Why it Failed or was Canceled, else None.
        digest: SHA-256 of its OCI manifest, 64 hexadecimal digits; None until it is Completed.
        files: Digest of the FileSet that is its OCI image layout (`oci-layout`, `index.json`, `blobs/sha256/...`).
        size_bytes: Of the layout: what is stored and sent.
        unpacked_bytes: Of the files in all layers: what it takes where it runs.
        layers: From the base up.
        platform: Such as `linux/amd64`.
        python: Version of its Python, such as `3.11`.
        user: Who asked for it.
        created_at: When it was asked for (UTC).
        ended_at: When the build ended, or None.
        owner: The process that builds it.
    """

    id: str
    name: str
    version: int
    manifest_id: str
    builder: str
    base: str
    status: str
    user: str
    created_at: dt.datetime
    step: str = ""
    error: str | None = None
    digest: str | None = None
    files: str | None = None
    size_bytes: int = 0
    unpacked_bytes: int = 0
    layers: tuple[LayerRecord, ...] = ()
    platform: str = ""
    python: str = ""
    ended_at: dt.datetime | None = None
    owner: ProcessIdentity | None = None
