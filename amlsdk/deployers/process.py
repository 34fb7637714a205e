"""The deployer `process`: this machine, without isolation."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path

from amlsdk.deployers.base import Deployer, Serving, Site
from amlsdk.errors import InvalidArgument
from amlsdk.filesets.blobs import Blobs
from amlsdk.records.images import HOST_BASE, ImageRecord, ImageStatus
from amlsdk.records.manifests import ManifestRecord
from amlsdk.records.serving import ScoringSettings

__all__ = ["ProcessDeployer"]

_MOST_REPLICAS = 256
# As Docker names them.
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class ProcessDeployer(Deployer):
    """Serves on this machine, on loopback, as processes of the user who deploys: scripts can do all that this user can.

    Takes images that have the Python of the machine they were built on, where that is the one of this interpreter.
    """

    def check(self, image: ImageRecord, settings: ScoringSettings, replicas: int) -> None:  # noqa: ARG002
        """See whether the image is complete and of this Python and platform."""
        what = f"image {image.name} {image.version}"
        if image.status != ImageStatus.COMPLETED:
            raise InvalidArgument(f"{what} is {image.status}: only a Completed image can be deployed")
        if image.base != HOST_BASE:
            raise InvalidArgument(
                f"{what} has the base {image.base!r}, whose Python can't run outside of a container; for the target "
                f"'process' build it with base={HOST_BASE!r}, or save it and run it by docker"
            )
        here = ".".join(platform.python_version_tuple()[:2])
        if image.python and ".".join(image.python.split(".")[:2]) != here:
            raise InvalidArgument(
                f"{what} is made for Python {image.python}, and this is {here}; deploy it from Python {image.python}, "
                "or make manifest and image here"
            )
        if image.platform and image.platform != _platform():
            raise InvalidArgument(
                f"{what} is made for {image.platform}, and this machine is {_platform()}; make it on such a machine"
            )
        if not 1 <= replicas <= _MOST_REPLICAS:
            raise InvalidArgument(f"replicas={replicas}: from 1 to {_MOST_REPLICAS} processes can be had")

    def prepare(
        self, image: ImageRecord, *, blobs: Blobs, cache: Path, find_manifest: Callable[[str], ManifestRecord]
    ) -> None:
        """Lay out what the bundle has links to."""
        from amlsdk.deployers.bundle import lay_out_parts

        lay_out_parts(image, blobs=blobs, cache=cache, find_manifest=find_manifest)

    def open(self, site: Site) -> Serving:
        """Listen on the deployment's port."""
        from amlsdk.deployers.processes import ProcessServing

        return ProcessServing(site)


def _platform() -> str:
    machine = platform.machine().lower()
    return f"{sys.platform}/{_MACHINES.get(machine, machine)}"
