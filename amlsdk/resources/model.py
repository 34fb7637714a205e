"""Registered models."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amlsdk.filesets.checkout import checkout
from amlsdk.operations.filesets import GetFileSet
from amlsdk.operations.models import DeleteModel, GetModel, SetModelAlias, UpdateModel
from amlsdk.records.filesets import FileEntry
from amlsdk.records.models import ModelRecord
from amlsdk.records.names import check_key, check_text
from amlsdk.resources.arguments import check_flag, check_mapping, local_path
from amlsdk.resources.resource import Resource

if TYPE_CHECKING:
    from amlsdk.records.serving import ScoringSettings
    from amlsdk.resources.deployment import Deployment
    from amlsdk.resources.manifest import Manifest
    from amlsdk.resources.run import Run

__all__ = ["Model"]


class Model(Resource[ModelRecord]):
    """A version of a registered model."""

    what = "model"

    def _read(self) -> ModelRecord:
        return self._client.send(GetModel(model_id=self.id))

    @property
    def version(self) -> int:
        """Counts from 1 per name."""
        return self._record.version

    @property
    def digest(self) -> str:
        """SHA-256 of the listing of its files; equal contents have equal digests."""
        return self._record.digest

    @property
    def format(self) -> str:
        """`skops`, `onnx`, `safetensors`, `pickle` or `files`."""
        return self._record.format

    @property
    def algorithm(self) -> Mapping[str, Any]:
        """Its `class` and `hyperparameters`, where known."""
        return self._record.algorithm

    @property
    def description(self) -> str:
        """Free text."""
        return self._record.description

    @property
    def tags(self) -> dict[str, str]:
        """The tags."""
        return dict(self.refresh().record.tags)

    @property
    def aliases(self) -> tuple[str, ...]:
        """The names that point at this version."""
        return self.refresh().record.aliases

    @property
    def run(self) -> Run | None:
        """The run that made it, or None."""
        from amlsdk.operations.runs import GetRun
        from amlsdk.resources.run import Run

        run_id = self._record.run_id
        return None if run_id is None else Run(self._client, self._client.send(GetRun(run_id=run_id)))

    def lineage(self) -> dict[str, Any]:
        """Return what it came from, as JSON: `model`, `run`, `snapshot` and `inputs`, each with its id or digest."""
        run = self.run
        behind = {"run": None, "snapshot": None, "inputs": {}} if run is None else run.lineage()
        return {"model": {"id": self.id, "name": self.name, "version": self.version, "digest": self.digest}, **behind}

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """Its files: `.path`, `.size_bytes`, `.digest`."""
        return self._client.send(GetFileSet(digest=self.digest)).entries

    def set_alias(self, alias: str) -> Model:
        """Let an alias point at this version, away from any other version of the name."""
        check_text(alias, what="set_alias(alias=...)")
        self._record = self._client.send(SetModelAlias(model_id=self.id, alias=alias))
        return self

    def remove_alias(self, alias: str) -> Model:
        """Take an alias away; an absent one is no error."""
        check_text(alias, what="remove_alias(alias=...)")
        self._record = self._client.send(SetModelAlias(model_id=self.id, alias=alias, remove=True))
        return self

    def set_tag(self, name: str, value: str | None) -> Model:
        """Set a tag; None removes it."""
        return self.update(tags={check_key(name, what="tag"): value})

    def update(self, *, description: str | None = None, tags: Mapping[str, str | None] | None = None) -> Model:
        """Change the description and tags; None leaves the description, a tag of None is removed.

        Raises:
            InvalidArgument: Not a text, or not texts by name.
        """
        if description is not None:
            check_text(description, what="update(description=...)")
        given = check_mapping({} if tags is None else tags, what="update(tags=...)", of="texts by name")
        checked = {
            check_key(name, what="tag"): None if value is None else check_text(value, what=f"tag {name!r}")
            for name, value in given.items()
        }
        self._record = self._client.send(UpdateModel(model_id=self.id, description=description, tags=checked))
        return self

    def download(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write its files into a folder, which is made where it is missing.

        Returns:
            The folder.

        Raises:
            Conflict: Other files are there; nothing was written.
            OperationFailed: A stored file is damaged.
        """
        target = local_path(folder, what="download(folder=...)")
        check_flag(overwrite, what="download(overwrite=...)")
        record = self._client.send(GetFileSet(digest=self.digest))
        checkout(record, self._client.blobs, target, overwrite=overwrite)
        return target

    def load(self, *, trusted: bool = False) -> Any:
        """Load the model.

        Args:
            trusted: Also load pickle-based files, which run code of whoever wrote them.

        Returns:
            The estimator; for ONNX an object with `predict`; for safetensors the tensors by name; for other files
            their folder.

        Raises:
            InvalidArgument: It is pickle-based, or holds types that skops does not trust, and `trusted` is False.
            MissingDependency: Its library is not installed.
        """
        from amlsdk.resources.modelfiles.loading import load_files

        # The text "no" must not let foreign code run.
        check_flag(trusted, what="load(trusted=...)")
        # One folder a digest: loading again costs a comparison, and what was changed there is written again.
        folder = self._client.spool.cache / "models" / self.digest
        self.download(folder, overwrite=True)
        return load_files(folder, self.format, trusted=trusted)

    def create_manifest(
        self,
        name: str | None = None,
        *,
        scoring: str | os.PathLike[str] | Callable[..., Any] | None = None,
        sample: Any = None,
        dependencies: Sequence[str] | None = None,
        trusted: bool = False,
        description: str = "",
    ) -> Manifest:
        """Record all that a scoring service of this model is made of: script, dependencies, sample, schema.

        The scoring script is run on the sample in a process of its own: what it imports are the dependencies, what it
        returns gives the schema.

        Args:
            name: Of the manifest, whose next version this is; the model's where none is given.
            scoring: Path of a script that defines `run(...)` and, if needed, `init()`, or of a folder with `score.py`.
                None generates one: for scikit-learn, XGBoost, LightGBM, ONNX, PyTorch, and callables.
            sample: A pandas DataFrame, a numpy array or plain data; a mapping by input where the script has several.
                None takes rows of the data that the model's run logged as its input.
            dependencies: Further distributions, as `name` or `name==version`.
            trusted: Let pickle-based files of the model run their code.
            description: Free text.

        Raises:
            InvalidArgument: There is no sample, no script for this kind of model, or a pickle that is not trusted.
            OperationFailed: The script does not answer the sample; the message has its last lines.
        """
        from amlsdk.resources.manifest import ManifestCollection

        return ManifestCollection(self._client).create(
            self.name if name is None else name,
            self,
            scoring=scoring,
            sample=sample,
            dependencies=dependencies,
            trusted=trusted,
            description=description,
        )

    def deploy(  # noqa: PLR0913  # what its three steps may be given
        self,
        name: str | None = None,
        *,
        target: str = "process",
        scoring: str | os.PathLike[str] | Callable[..., Any] | None = None,
        sample: Any = None,
        dependencies: Sequence[str] | None = None,
        trusted: bool = False,
        replicas: int = 1,
        settings: ScoringSettings | None = None,
        environment_variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | Sequence[str] | None = None,
        agent: str | None = None,
        wait: bool = True,
    ) -> Deployment:
        """Make a manifest, build an image and let it serve: `create_manifest`, `build_image` and `deploy` in one.

        Args:
            name: Of the deployment, the manifest and the image; the model's where none is given.
            target: Name of a deployer (entry-point group `amlsdk.deployers`).
            scoring: As `create_manifest` takes it.
            sample: As `create_manifest` takes it.
            dependencies: As `create_manifest` takes it.
            trusted: As `create_manifest` takes it.
            replicas: How many processes or containers serve.
            settings: Limits of the service.
            environment_variables: Set for the scoring script.
            secrets: Names of secrets of the workspace by the environment variable that each is given in, or a list of
                names: `db-password` is then given as `DB_PASSWORD`. A changed one is taken by the next start.
            agent: Name of an agent (`aml agent`), whose machine is to serve it; by default this machine does.
            wait: Return when it answers; else as soon as the image is built.

        Raises:
            Conflict: A deployment has this name: `update` it.
            OperationFailed: One of the steps failed; the message says which and why.
        """
        from amlsdk.resources.deploying import refuse_taken

        wanted = self.name if name is None else name
        refuse_taken(self._client, wanted)
        manifest = self.create_manifest(
            wanted, scoring=scoring, sample=sample, dependencies=dependencies, trusted=trusted
        )
        return manifest.build_image(wanted).deploy(
            wanted,
            target=target,
            replicas=replicas,
            settings=settings,
            environment_variables=environment_variables,
            secrets=secrets,
            agent=agent,
            wait=wait,
        )

    def delete(self) -> None:
        """Delete this version; its number is not given again. An absent one is no error.

        Raises:
            Conflict: Something still depends on it; the message names it.
        """
        self._client.send(DeleteModel(model_id=self.id))

    def __repr__(self) -> str:
        same = f", same content as version {self._record.same_as}" if self._record.same_as else ""
        return f"<Model {self.name!r} version {self.version}, {self.format}{same}>"
