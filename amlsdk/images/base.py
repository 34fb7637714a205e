"""What every builder of images promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from amlsdk.filesets.blobs import Blobs
from amlsdk.records.filesets import FileSetRecord
from amlsdk.records.images import ImageRecord, LayerRecord
from amlsdk.records.manifests import ManifestRecord

__all__ = ["BuildWork", "Builder", "BuiltImage", "Cancelled"]


class Cancelled(Exception):
    """Somebody asked to end the build; a builder tidies up and lets this pass."""


@attrs.frozen(kw_only=True)
class BuildWork:
    """An image to build.

    Args:
        manifest: What it is made of, all of it by digest.
        image: Its record: id, name, version.
        base: `host` for the Python of this machine, else a place that the builder understands.
        blobs: Where the content of FileSets is, and where that of the image goes.
        fileset: Returns the FileSet of a digest.
        keep: Keeps a FileSet whose blobs are stored.
        lineage: What the image came from, as labels by name.
        cache: A folder of what may be lost at any time; several builds may share it.
        say: Writes a line into the build log.
        step: Names what is being done; raises `Cancelled` when somebody asked to cancel. It costs next to nothing, and
            is called at least once a second.
    """

    manifest: ManifestRecord
    image: ImageRecord
    base: str
    blobs: Blobs
    fileset: Callable[[str], FileSetRecord]
    keep: Callable[[FileSetRecord], None]
    lineage: Mapping[str, str]
    cache: Path
    say: Callable[[str], None]
    step: Callable[[str], None]


@attrs.frozen(kw_only=True)
class BuiltImage:
    """An image that was built and is stored.

    Args:
        digest: SHA-256 of its OCI image manifest, 64 hexadecimal digits.
        files: Its OCI image layout, kept.
        layers: From the base up.
        platform: Such as `linux/amd64`.
        python: Version of its Python, such as `3.11`.
    """

    digest: str
    files: FileSetRecord
    layers: tuple[LayerRecord, ...]
    platform: str
    python: str


class Builder(ABC):
    """Makes images of manifests, found by name (entry-point group `amlsdk.builders`).

    The contract, which `amlsdk.testing.builder_case.BuilderTestCase` tests:

    - The same manifest, base and lineage give the same digest, whatever the image is called and whenever it is built.
    - All content comes from the manifest's FileSets and the base; one that is not stored is an error that names it.
    - Where a build fails or is cancelled, nothing stays behind but blobs and what is in the cache.
    - An instance has no state of its own: threads may use one for several builds at once.
    """

    @abstractmethod
    def check(self, manifest: ManifestRecord, base: str) -> None:
        """Refuse what can't be built, before anything is recorded; reads no more than the head of a base.

        Raises:
            InvalidArgument: The base is none, or does not fit to the manifest; the message says what was found.
        """

    @abstractmethod
    def build(self, work: BuildWork) -> BuiltImage:
        """Build an image and store it.

        Raises:
            AmlError: It can't be built; the message is the reason.
            Cancelled: `step` raised it.
        """
