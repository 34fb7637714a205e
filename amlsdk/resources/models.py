"""The registered models of a workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations.models import DeleteModel, GetModel, ListModels
from amlsdk.records.ids import is_id
from amlsdk.records.models import ModelRecord
from amlsdk.records.names import check_text, listed
from amlsdk.records.pages import Page
from amlsdk.resources.arguments import shown, telling
from amlsdk.resources.model import Model
from amlsdk.resources.paging import all_items
from amlsdk.resources.resource import Resource
from amlsdk.resources.versioned import VersionedCollection

if TYPE_CHECKING:
    from amlsdk.resources.run import Run

__all__ = ["ModelCollection"]


class ModelCollection(VersionedCollection[Model]):
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
        if alias is None:
            return super().get(key, version)
        self._check_key(key)
        check_text(alias, what="get(alias=...)")
        if version is not None:
            raise InvalidArgument("a model is found by version or by alias, not by both")
        if is_id(key):
            return self._make(self._read(key))
        found = self._client.send(ListModels(name=key, alias=alias, limit=1)).items
        if not found:
            raise NotFound(self._missing_alias(key, alias))
        return self._make(found[0])

    def _missing_alias(self, key: str, alias: str) -> str:
        records = list(all_items(self._client, self._listing(name=key)))
        if not records:
            return self._missing(key, None)
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

    def _listing(
        self, *, name: str | None = None, version: int | None = None, latest: bool = False, limit: int = 1000
    ) -> ListModels:
        return ListModels(name=name, version=version, latest=latest, limit=limit)

    def _delete(self, identifier: str) -> None:
        self._client.send(DeleteModel(model_id=identifier))

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        return self._client.send(ListModels(name=name, latest=True, after=after, limit=limit))

    def _read(self, identifier: str) -> ModelRecord:
        return self._client.send(GetModel(model_id=identifier))

    def _make(self, record: ModelRecord) -> Model:
        return Model(self._client, record)

    def _row(self, record: ModelRecord) -> dict[str, Any]:
        shown = {"name": record.name, "version": record.version, "format": record.format}
        return {**shown, "aliases": ", ".join(record.aliases), "created": record.created_at.astimezone()}
