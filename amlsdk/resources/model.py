"""Registered models."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.filesets.checkout import checkout
from amlsdk.operations.filesets import GetFileSet
from amlsdk.operations.models import DeleteModel, GetModel, ListModels, SetModelAlias, UpdateModel
from amlsdk.records.filesets import FileEntry
from amlsdk.records.ids import is_id
from amlsdk.records.models import ModelRecord
from amlsdk.records.names import check_key, check_text, listed
from amlsdk.records.pages import Page
from amlsdk.resources.arguments import check_flag, check_mapping, check_whole, local_path, shown, telling
from amlsdk.resources.paging import all_items
from amlsdk.resources.resource import Collection, Resource

if TYPE_CHECKING:
    from amlsdk.resources.run import Run

__all__ = ["Model", "ModelCollection"]


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

    def delete(self) -> None:
        """Delete this version; its number is not given again. An absent one is no error.

        Raises:
            Conflict: Something still depends on it; the message names it.
        """
        self._client.send(DeleteModel(model_id=self.id))

    def __repr__(self) -> str:
        same = f", same content as version {self._record.same_as}" if self._record.same_as else ""
        return f"<Model {self.name!r} version {self.version}, {self.format}{same}>"


class ModelCollection(Collection[Model]):
    """The registered models of a workspace."""

    what = "model"

    def create(
        self,
        name: str,
        model: object,
        *,
        tags: Mapping[str, str] | None = None,
        aliases: Sequence[str] = (),
        description: str = "",
    ) -> Model:
        """Register the next version of a model.

        Args:
            name: Of the model.
            model: A path of a file or folder, or a fitted estimator, which is saved as skops, ONNX or safetensors.
            tags: Texts by name.
            aliases: Names that shall point at this version.
            description: Free text.

        Raises:
            NotFound: There is no such file or folder.
            InvalidArgument: This kind of object is not saved safely; the message says what to do.
        """
        from amlsdk.resources.registering import register

        with telling("models.create"):
            return register(self._client, name, model, tags=tags, aliases=aliases, description=description)

    def get(self, key: str, version: int | None = None, *, alias: str | None = None) -> Model:
        """Return a version of a model, by default the newest.

        Args:
            key: Its name, or the id of a version.
            version: Its number.
            alias: A name that points at it.

        Raises:
            NotFound: No model has this name, or not this version or alias; the message names those there are.
        """
        if not isinstance(key, str):
            raise InvalidArgument(f"a model is found by its name or the id of a version, not by {shown(key)}")
        check_text(key, what="get(key=...)")
        check_whole(version, what="get(version=...)")
        if alias is not None:
            check_text(alias, what="get(alias=...)")
        if version is not None and alias is not None:
            raise InvalidArgument("a model is found by version or by alias, not by both")
        if is_id(key):
            return self._make(self._read(key))
        request = ListModels(name=key, version=version, alias=alias, latest=version is None and alias is None, limit=1)
        found = self._client.send(request).items
        if not found:
            raise NotFound(self._missing(key, version, alias))
        return self._make(found[0])

    def _missing(self, key: str, version: int | None, alias: str | None) -> str:
        newest = self._client.send(ListModels(name=key, limit=5)).items
        if not newest:
            return f"there is no model {key!r}{self._hint()}"
        if version is not None:
            versions = ", ".join(str(record.version) for record in newest)
            return f"model {key!r} has no version {version}; its newest versions are {versions}"
        records = all_items(self._client, ListModels(name=key, limit=1000))
        aliases = sorted(repr(name) for record in records for name in record.aliases)
        known = f"there are {listed(aliases)}" if aliases else "it has none"
        return f"model {key!r} has no alias {alias!r}; {known}"

    def list(self, *, name: str | None = None, run: Run | str | None = None) -> list[Model]:
        """Return all versions by name, newest first, or those of a name or made by a run (or the one of an id)."""
        if name is not None:
            check_text(name, what="list(name=...)")
        run_id = run.id if isinstance(run, Resource) and run.what == "run" else run
        if run_id is not None and not isinstance(run_id, str):
            raise InvalidArgument(f"list(run=...) is a run or its id, not {shown(run)}")
        request = ListModels(name=name, run_id=run_id, limit=1000)
        return [self._make(record) for record in all_items(self._client, request)]

    def delete(self, model: str | Model, version: int | None = None) -> None:
        """Delete a version of a model; an absent one is no error.

        Args:
            model: The object, the id of a version, or a name together with `version`.
            version: Its number; a name alone is refused, so that no newest version goes by mistake.

        Raises:
            Conflict: Something still depends on it.
        """
        check_whole(version, what="delete(version=...)")
        if not isinstance(model, (str, Model)):
            raise InvalidArgument(f"delete(model=...) is a model, the id of a version or a name, not {shown(model)}")
        if isinstance(model, str) and not is_id(model):
            if version is None:
                raise InvalidArgument(
                    f"say which version of {model!r} is to be deleted: delete({model!r}, version=...)"
                )
            found = self._client.send(ListModels(name=model, version=version, limit=1)).items
            model = found[0].id if found else ""
        model_id = model.id if isinstance(model, Model) else model
        if model_id:
            self._client.send(DeleteModel(model_id=model_id))

    def _get(self, key: str) -> Model:
        return self.get(key)

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        return self._client.send(ListModels(name=name, latest=True, after=after, limit=limit))

    def _read(self, identifier: str) -> ModelRecord:
        return self._client.send(GetModel(model_id=identifier))

    def _make(self, record: ModelRecord) -> Model:
        return Model(self._client, record)

    def _row(self, record: ModelRecord) -> dict[str, Any]:
        shown = {"name": record.name, "version": record.version, "format": record.format}
        return {**shown, "aliases": ", ".join(record.aliases), "created": record.created_at.astimezone()}
