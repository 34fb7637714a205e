"""From files, folders and estimators to registered models."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.filesets.checkout import checkout
from amlsdk.filesets.snapshot import snapshot
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.operations.models import CreateModel
from amlsdk.records.filesets import FileSetRecord
from amlsdk.records.ids import new_id
from amlsdk.records.models import ModelRecord
from amlsdk.records.names import check_name, check_text
from amlsdk.resources.arguments import check_items, check_texts, local_path
from amlsdk.resources.run_files import OUTPUTS

if TYPE_CHECKING:
    from amlsdk.resources.client import Client
    from amlsdk.resources.model import Model
    from amlsdk.resources.run import Run

__all__ = ["register", "register_from_run"]

_LOGGER = logging.getLogger("amlsdk")


@attrs.frozen(kw_only=True)
class _Content:
    record: FileSetRecord
    format: str
    algorithm: Mapping[str, Any]


def register(  # what a model may be given
    client: Client,
    name: str,
    model: object,
    *,
    tags: Mapping[str, str] | None,
    aliases: Sequence[str],
    description: str,
    run: Run | None = None,
) -> Model:
    """Store a model's files and register the next version of its name."""
    from amlsdk.resources.model import Model

    check_name(name, what="model")
    check_text(description, what="the description")
    texts = check_texts(tags, what="tags")
    names = [check_text(alias, what="an alias") for alias in check_items(aliases, what="aliases", of="names")]
    content = _content(client, model, run)
    client.send(CreateFileSet(entries=content.record.entries))
    request = CreateModel(
        id=new_id(),
        name=name,
        digest=content.record.digest,
        format=content.format,
        algorithm=dict(content.algorithm),
        run_id=None if run is None else run.id,
        description=description,
        tags=texts,
        aliases=tuple(names),
    )
    record = client.send(request)
    _say_if_known(record)
    return Model(client, record)


def register_from_run(
    run: Run,
    name: str,
    model: object,
    *,
    tags: Mapping[str, str] | None,
    aliases: Sequence[str],
    description: str,
) -> Model:
    """Register what a run made."""
    client = run._client  # noqa: SLF001  # the run's own connection
    return register(client, name, model, tags=tags, aliases=aliases, description=description, run=run)


def _say_if_known(record: ModelRecord) -> None:
    if record.same_as is not None:
        _LOGGER.info(
            "model %r version %d has the same content as version %d", record.name, record.version, record.same_as
        )


def _content(client: Client, model: object, run: Run | None) -> _Content:
    if model is None:
        raise InvalidArgument("a model is a path of a file or folder, or a fitted estimator, not None")
    if not isinstance(model, (str, os.PathLike)):
        return _of_estimator(client, model)
    path = local_path(model, what="the path of a model")
    if run is not None:
        try:
            return _of_run_files(client, run.files.fileset(_as_output(run, os.fspath(model))))
        except NotFound:
            if not path.exists():
                raise
    return _of_path(client, path)


def _as_output(run: Run, path: str) -> str:
    # `outputs/` may be left out, as everywhere where outputs are named.
    text = path.replace(os.sep, "/").rstrip("/")
    is_whole = text == OUTPUTS or text.startswith(f"{OUTPUTS}/")
    if is_whole or any(file.path == text or file.path.startswith(f"{text}/") for file in run.files):
        return text
    return f"{OUTPUTS}/{text}"


def _of_run_files(client: Client, record: FileSetRecord) -> _Content:
    # What kind of model it is shows only in the content, so that is looked at in a copy.
    with tempfile.TemporaryDirectory(prefix="amlsdk-model-") as folder:
        checkout(record, client.blobs, Path(folder))
        return _described(record, Path(folder))


def _of_path(client: Client, path: Path) -> _Content:
    if not path.exists():
        raise NotFound(f"there is no model file or folder {path.absolute()}")
    if path.is_dir() and not any(path.iterdir()):
        raise InvalidArgument(f"the folder {path.absolute()} is empty, so it is no model")
    taken = snapshot(path, client.blobs, everything=True)
    return _described(taken.record, path)


def _of_estimator(client: Client, estimator: object) -> _Content:
    from amlsdk.resources.modelfiles.saving import save_estimator

    with tempfile.TemporaryDirectory(prefix="amlsdk-model-") as folder:
        saved = save_estimator(estimator, Path(folder))
        taken = snapshot(Path(folder), client.blobs, everything=True)
        return _Content(record=taken.record, format=saved.format, algorithm=saved.algorithm)


def _described(record: FileSetRecord, path: Path) -> _Content:
    from amlsdk.resources.modelfiles.algorithms import algorithm_of
    from amlsdk.resources.modelfiles.formats import detect_format

    return _Content(record=record, format=detect_format(path), algorithm=algorithm_of(path))
