"""Images: self-contained container images."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amlsdk.errors import Conflict
from amlsdk.operations.filesets import GetFileSet
from amlsdk.operations.images import CancelImage, DeleteImage, GetImage, ListImages, ReadImageLog
from amlsdk.operations.manifests import GetManifest
from amlsdk.records.images import BUILT, ImageRecord, ImageStatus
from amlsdk.records.pages import Page
from amlsdk.records.serving import ScoringSettings
from amlsdk.resources.arguments import check_flag, check_timeout, local_path, telling
from amlsdk.resources.building import raise_if_bad
from amlsdk.resources.lines import READ_BYTES, lines_of
from amlsdk.resources.passing import PassingLine
from amlsdk.resources.resource import Resource
from amlsdk.resources.versioned import VersionedCollection

if TYPE_CHECKING:
    from amlsdk.resources.deployment import Deployment
    from amlsdk.resources.manifest import Manifest

__all__ = ["Image", "ImageCollection"]

_LOOK_S = 0.5


class Image(Resource[ImageRecord]):
    """A version of an image: an OCI image, kept in the workspace by layer."""

    what = "image"

    def _read(self) -> ImageRecord:
        return self._client.send(GetImage(image_id=self.id))

    def _now(self) -> ImageRecord:
        return self._record if self._record.status in BUILT else self.refresh().record

    @property
    def version(self) -> int:
        """Counts from 1 per name."""
        return self._record.version

    @property
    def manifest(self) -> Manifest:
        """What it was made of."""
        from amlsdk.resources.manifest import Manifest

        return Manifest(self._client, self._client.send(GetManifest(manifest_id=self._record.manifest_id)))

    @property
    def status(self) -> str:
        """`Building`, `CancelRequested`, `Completed`, `Failed` or `Canceled`."""
        return self._now().status

    @property
    def error(self) -> str | None:
        """Why it Failed or was Canceled, with the step; else None."""
        return self._now().error

    @property
    def digest(self) -> str | None:
        """SHA-256 of its OCI manifest, as registries and engines show it; None until it is built."""
        digest = self._now().digest
        return None if digest is None else f"sha256:{digest}"

    @property
    def size_bytes(self) -> int:
        """Of all its blobs: what is stored and sent."""
        return self._now().size_bytes

    @property
    def unpacked_bytes(self) -> int:
        """Of the files in all layers: what it takes where it runs."""
        return self._now().unpacked_bytes

    @property
    def ended_at(self) -> dt.datetime | None:
        """When its build ended (UTC), or None."""
        return self._now().ended_at

    def wait(self, timeout_s: float | None = None, *, raise_on_error: bool = True) -> Image:
        """Wait for the end of its build, and return this image.

        Args:
            timeout_s: Raise TimeoutError after so many seconds; the build goes on.
            raise_on_error: Whether one that Failed or was Canceled raises.

        Raises:
            OperationFailed: It Failed or was Canceled; the message has the step and the reason.
            TimeoutError: It has not ended in time.
        """
        check_timeout(timeout_s)
        begun = time.monotonic()
        with PassingLine(None, wanted=self._client.config.progress) as passing:
            while self._record.status not in BUILT:
                past = time.monotonic() - begun
                if timeout_s is not None and past >= timeout_s:
                    raise TimeoutError(f"image {self.name!r} is still {self._record.step!r} after {timeout_s:g} s")
                left = _LOOK_S if timeout_s is None else min(_LOOK_S, timeout_s - past)
                self._record = self._client.send(GetImage(image_id=self.id, wait_s=left))
                passing.show(f"[{self.name}] {self._record.step} {past:.1f} s")
        if raise_on_error:
            raise_if_bad(self._record)
        return self

    async def wait_async(self, timeout_s: float | None = None, *, raise_on_error: bool = True) -> Image:
        """Wait without blocking the event loop; see `wait`."""
        return await asyncio.to_thread(self.wait, timeout_s, raise_on_error=raise_on_error)

    def logs(self, *, follow: bool = False) -> Iterator[str]:
        """Iterate over the lines of its build log.

        Args:
            follow: Go on until the build ends; each look waits at most half a second.
        """
        check_flag(follow, what="logs(follow=...)")

        def look(after: int) -> tuple[bytes, bool]:
            goes_on = follow and self._now().status not in BUILT
            wait_s = _LOOK_S if goes_on else 0.0
            request = ReadImageLog(image_id=self.id, after=after, limit_bytes=READ_BYTES, wait_s=wait_s)
            return self._client.send(request).read(), goes_on

        yield from lines_of(look)

    def cancel(self) -> None:
        """Ask that its build end; one that has ended stays as it is."""
        self._record = self._client.send(CancelImage(image_id=self.id))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as one archive that docker, podman and skopeo load; to a folder, as an OCI image layout.

        Returns:
            The path.

        Raises:
            Conflict: It is not built.
            OperationFailed: A stored layer is damaged.
        """
        from amlsdk.images.saving import save

        with telling("save"):
            target = os.fspath(local_path(path, what="path"))
        wanted = target + os.sep if os.fspath(path).endswith(("/", os.sep)) else target
        record = self._completed("saved")
        return save(record, self._client.send(GetFileSet(digest=record.files or "")), self._client.blobs, wanted)

    def deploy(  # noqa: PLR0913  # what a deployment may be given
        self,
        name: str | None = None,
        *,
        target: str = "process",
        replicas: int = 1,
        settings: ScoringSettings | None = None,
        environment_variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | Sequence[str] | None = None,
        agent: str | None = None,
        wait: bool = True,
        timeout_s: float | None = None,
    ) -> Deployment:
        """Let it serve.

        Args:
            name: Of the deployment: 1 to 63 lower-case letters, digits, `-` and `.`; the image's where none is given.
            target: Name of a deployer (entry-point group `amlsdk.deployers`).
            replicas: How many processes or containers serve.
            settings: Limits of the service.
            environment_variables: Set for the scoring script.
            secrets: Names of secrets of the workspace by the environment variable that each is given in, or a list of
                names: `db-password` is then given as `DB_PASSWORD`. A changed one is taken by the next start.
            agent: Name of an agent (`aml agent`), whose machine is to serve it; by default this machine does.
            wait: Return when it answers; else at once.
            timeout_s: Raise TimeoutError after so many seconds of waiting; the start goes on.

        Raises:
            Conflict: The name is taken, or the image is not built.
            InvalidArgument: The deployer can't serve this image; the message says why.
            OperationFailed: It does not start; the message has its last lines.
        """
        from amlsdk.resources.deploying import deploy

        with telling("deploy"):
            return deploy(
                self._client,
                self._completed("deployed"),
                name=self.name if name is None else name,
                target=target,
                replicas=replicas,
                settings=settings,
                environment_variables=environment_variables,
                secrets=secrets,
                agent=agent,
                wait=wait,
                timeout_s=timeout_s,
            )

    def lineage(self) -> dict[str, Any]:
        """Return what it came from, as JSON: `image` and what `Manifest.lineage` gives."""
        own = {"id": self.id, "name": self.name, "version": self.version, "digest": self.digest}
        return {"image": own, **self.manifest.lineage()}

    def delete(self) -> None:
        """Delete this version; layers that no other image has go with the next garbage collection.

        Raises:
            Conflict: It is being built, or deployments need it; the message names them.
        """
        self._client.send(DeleteImage(image_id=self.id))

    def _completed(self, done: str) -> ImageRecord:
        record = self._now()
        if record.status != ImageStatus.COMPLETED or record.files is None:
            raise Conflict(f"image {self.name!r} version {self.version} can't be {done}: it is {record.status}")
        return record

    def __repr__(self) -> str:
        record = self._record
        built = f"{record.platform}, {record.size_bytes / 1e6:.0f} MB, {(self.digest or '')[:19]}"
        shown = built if record.status == ImageStatus.COMPLETED else record.status
        return f"<Image {self.name!r} version {self.version}: {shown}>"


class ImageCollection(VersionedCollection[Image]):
    """The images of a workspace."""

    what = "image"

    def _listing(
        self, *, name: str | None = None, version: int | None = None, latest: bool = False, limit: int = 1000
    ) -> ListImages:
        return ListImages(name=name, version=version, latest=latest, limit=limit)

    def _delete(self, identifier: str) -> None:
        self._client.send(DeleteImage(image_id=identifier))

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        return self._client.send(ListImages(name=name, latest=True, after=after, limit=limit))

    def _read(self, identifier: str) -> ImageRecord:
        return self._client.send(GetImage(image_id=identifier))

    def _make(self, record: ImageRecord) -> Image:
        return Image(self._client, record)

    def _row(self, record: ImageRecord) -> dict[str, Any]:
        row = {"name": record.name, "version": record.version, "status": record.status}
        size = f"{record.size_bytes / 1e6:.0f} MB" if record.size_bytes else ""
        return {**row, "size": size, "created": record.created_at.astimezone()}
