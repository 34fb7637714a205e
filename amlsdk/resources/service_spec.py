"""The contract of a service, from the files of its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from amlsdk.errors import NotFound
from amlsdk.operations.filesets import GetFileSet
from amlsdk.records.converting import CONVERTER
from amlsdk.records.manifests import ManifestRecord
from amlsdk.records.serving import ServiceSpec

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["SPEC_FILE", "read_spec"]

SPEC_FILE = "service.json"


def read_spec(client: Client, manifest: ManifestRecord) -> ServiceSpec:
    """Read the contract of the service that a manifest describes.

    Raises:
        NotFound: The manifest was recorded without one.
        OperationFailed: It is damaged.
    """
    for entry in client.send(GetFileSet(digest=manifest.files)).entries:
        if entry.path == SPEC_FILE:
            return CONVERTER.structure(orjson.loads(client.blobs.open(entry.digest).read()), ServiceSpec)
    raise NotFound(f"manifest {manifest.name!r} version {manifest.version} has no {SPEC_FILE}")
