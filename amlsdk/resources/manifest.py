"""Manifests: everything that a scoring service is made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from amlsdk.errors import InvalidArgument
from amlsdk.filesets.checkout import checkout
from amlsdk.operations.filesets import GetFileSet
from amlsdk.operations.manifests import DeleteManifest, GetManifest, ListManifests
from amlsdk.operations.models import GetModel
from amlsdk.records.filesets import FileEntry
from amlsdk.records.images import HOST_BASE
from amlsdk.records.manifests import Dependency, ManifestRecord
from amlsdk.records.pages import Page
from amlsdk.resources.arguments import check_flag, check_items, local_path, telling
from amlsdk.resources.resource import Resource
from amlsdk.resources.service_spec import read_spec
from amlsdk.resources.versioned import VersionedCollection

if TYPE_CHECKING:
    from amlsdk.records.serving import ServiceSpec
    from amlsdk.resources.image import Image
    from amlsdk.resources.manifesting.comparing import ManifestDifference
    from amlsdk.resources.model import Model

__all__ = ["Manifest", "ManifestCollection"]


class Manifest(Resource[ManifestRecord]):
    """A version of a manifest: models, scoring script, dependencies, sample and schema, all by digest. Immutable."""

    what = "manifest"

    def _read(self) -> ManifestRecord:
        return self._client.send(GetManifest(manifest_id=self.id))

    @property
    def version(self) -> int:
        """Counts from 1 per name."""
        return self._record.version

    @property
    def digest(self) -> str:
        """SHA-256 over all that an image is made of."""
        return self._record.digest

    @property
    def models(self) -> tuple[Model, ...]:
        """The models it holds."""
        from amlsdk.resources.model import Model

        return tuple(Model(self._client, self._client.send(GetModel(model_id=one.id))) for one in self._record.models)

    @property
    def dependencies(self) -> tuple[Dependency, ...]:
        """The distributions that scoring imports: `.name`, `.version`, `.files`, `.wheel`, `.sha256`."""
        return tuple(one for one in self._record.dependencies if one.purpose == "scoring")

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be found, hashed or verified."""
        return self._record.notes

    @property
    def spec(self) -> ServiceSpec:
        """The contract of the service: how each input is made from JSON."""
        return read_spec(self._client, self._record)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12): `input`, of a request by its inputs, and `output`, of the result."""
        spec = self.spec
        properties = {one.name: dict(one.schema) for one in spec.inputs}
        request = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        return {"input": request, "output": dict(spec.output)}

    @property
    def sample(self) -> dict[str, Any]:
        """A request that was answered when the manifest was made: the sample data as JSON, by input."""
        return dict(self.spec.sample)

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """The scoring script, what lies beside it, and `service.json`."""
        return self._client.send(GetFileSet(digest=self._record.files)).entries

    @property
    def script(self) -> str:
        """The text of the scoring script."""
        entry = next(entry for entry in self.files if entry.path == self._record.script)
        return self._client.blobs.open(entry.digest).read().decode(errors="replace")

    def download(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write its files into a folder, which is made where it is missing, and return that.

        Raises:
            Conflict: Other files are there; nothing was written.
        """
        target = local_path(folder, what="download(folder=...)")
        check_flag(overwrite, what="download(overwrite=...)")
        record = self._client.send(GetFileSet(digest=self._record.files))
        checkout(record, self._client.blobs, target, overwrite=overwrite)
        return target

    def new_version(
        self,
        *,
        models: Sequence[Model] | None = None,
        scoring: str | os.PathLike[str] | None = None,
        sample: Any = None,
        dependencies: Sequence[str] | None = None,
        trusted: bool = False,
        description: str | None = None,
    ) -> Manifest:
        """Make the next version of this manifest; what is not given stays as it is.

        Args:
            models: Versions of models; a generated scoring script is generated again for them.
            scoring: Path of another scoring script, or of a folder that has one.
            sample: Other sample data.
            dependencies: Other ones of those that are named by hand, as `name` or `name==version`.
            trusted: Let pickle-based files of the models run their code.
            description: Another free text.

        Raises:
            OperationFailed: The scoring script does not answer the sample; the message has its last lines.
        """
        from amlsdk.resources.manifesting.renewing import new_version

        with telling("new_version"):
            record = new_version(
                self._client,
                self._record,
                self.models if models is None else check_items(models, what="models", of="models"),
                scoring=scoring,
                sample=sample,
                dependencies=dependencies,
                trusted=check_flag(trusted, what="trusted"),
                description=self._record.description if description is None else description,
            )
        return Manifest(self._client, record)

    def compare(self, other: Manifest) -> ManifestDifference:
        """Say what another manifest has otherwise: models, script, dependencies, schema.

        Raises:
            InvalidArgument: It is no manifest.
        """
        from amlsdk.resources.manifesting.comparing import compare

        if not isinstance(other, Manifest):
            raise InvalidArgument(f"compare(other=...) is a manifest, not {type(other).__name__}")
        return compare(self._client, self._record, other.record)

    def build_image(
        self,
        name: str | None = None,
        *,
        builder: str = "oci",
        base: str | os.PathLike[str] | None = None,
        wait: bool = True,
        show_output: bool | TextIO = False,
    ) -> Image:
        """Build a container image, without a daemon.

        Args:
            name: Of the image; the manifest's where none is given.
            builder: Name of an adapter (entry-point group `amlsdk.builders`).
            base: Path of an OCI archive or layout that the image is put upon; None takes this machine's Python.
            wait: Return when it is built; else at once, and a process of its own goes on.
            show_output: Copy the build log to standard output, or to a stream given.

        Returns:
            The next version of the image.

        Raises:
            InvalidArgument: There is no such builder or base, or it does not fit.
            OperationFailed: The build failed; the message has the step and the reason.
        """
        from amlsdk.resources.building import build

        with telling("build_image"):
            place = HOST_BASE if base is None else os.fspath(local_path(base, what="base").absolute())
            return build(
                self._client, self._record, name, builder=builder, base=place, wait=wait, show_output=show_output
            )

    def lineage(self) -> dict[str, Any]:
        """Return what it came from, as JSON: `manifest`, `model`, `run`, `snapshot`, `inputs`, each with its digest.

        With several models `models` has the same of each.
        """
        own = {"id": self.id, "name": self.name, "version": self.version, "digest": self.digest}
        first, *others = [model.lineage() for model in self.models]
        return {"manifest": own, **first, **({"models": [first, *others]} if others else {})}

    def delete(self) -> None:
        """Delete this version; an absent one is no error.

        Raises:
            Conflict: Images were made of it; the message names them.
        """
        self._client.send(DeleteManifest(manifest_id=self.id))

    def __repr__(self) -> str:
        models = ", ".join(f"{one.name} {one.version}" for one in self._record.models)
        needed = len(self.dependencies)
        same = f", same as version {self._record.same_as}" if self._record.same_as else ""
        return f"<Manifest {self.name!r} version {self.version}: {models}; {needed} dependencies{same}>"


class ManifestCollection(VersionedCollection[Manifest]):
    """The manifests of a workspace."""

    what = "manifest"

    def create(
        self,
        name: str,
        models: Sequence[Model] | Model,
        *,
        scoring: str | os.PathLike[str] | Callable[..., Any] | None = None,
        sample: Any = None,
        dependencies: Sequence[str] | None = None,
        trusted: bool = False,
        description: str = "",
    ) -> Manifest:
        """Make the next version of a manifest; see `Model.create_manifest`.

        Args:
            name: Of the manifest.
            models: One or more versions of models, the first of which is the main one.
            scoring: Path of the scoring script or of a folder with `score.py`; None generates one.
            sample: Sample data.
            dependencies: Further distributions, as `name` or `name==version`.
            trusted: Let pickle-based files of the models run their code.
            description: Free text.

        Raises:
            OperationFailed: The scoring script does not answer the sample; the message has its last lines.
        """
        from amlsdk.resources.manifesting.creating import create_manifest

        with telling("create_manifest"):
            several = [models] if isinstance(models, Resource) else check_items(models, what="models", of="models")
            for one in several:
                if not isinstance(one, Resource) or one.what != "model":
                    raise InvalidArgument(f"models are registered models, not {type(one).__name__}")
            record = create_manifest(
                self._client,
                name,
                several,
                scoring=scoring,
                sample=sample,
                dependencies=dependencies,
                # The text "no" must not let foreign code run.
                trusted=check_flag(trusted, what="trusted"),
                description=description,
            )
        return self._make(record)

    def _listing(
        self, *, name: str | None = None, version: int | None = None, latest: bool = False, limit: int = 1000
    ) -> ListManifests:
        return ListManifests(name=name, version=version, latest=latest, limit=limit)

    def _delete(self, identifier: str) -> None:
        self._client.send(DeleteManifest(manifest_id=identifier))

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        return self._client.send(ListManifests(name=name, latest=True, after=after, limit=limit))

    def _read(self, identifier: str) -> ManifestRecord:
        return self._client.send(GetManifest(manifest_id=identifier))

    def _make(self, record: ManifestRecord) -> Manifest:
        return Manifest(self._client, record)

    def _row(self, record: ManifestRecord) -> dict[str, Any]:
        models = ", ".join(f"{one.name} {one.version}" for one in record.models)
        row: Mapping[str, Any] = {"name": record.name, "version": record.version, "models": models}
        return {**row, "created": record.created_at.astimezone()}
