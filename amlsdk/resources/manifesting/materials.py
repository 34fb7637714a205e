"""The files of the models that a manifest is made of, on this machine."""

from __future__ import annotations

import contextlib
import functools
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.filesets.checkout import checkout
from amlsdk.operations.filesets import GetFileSet
from amlsdk.records.filesets import FileSetRecord
from amlsdk.records.models import ModelRecord
from amlsdk.resources.modelfiles.archives import check_archive
from amlsdk.resources.modelfiles.formats import format_of

if TYPE_CHECKING:
    from amlsdk.resources.client import Client
    from amlsdk.resources.model import Model

__all__ = ["Material", "check_trust", "material_of", "materials_of"]


@attrs.frozen(slots=False)
class Material:
    """A model and its files.

    Args:
        model: The registered version.
        record: Its tree.
        folder: Where its files are; not to be written to.
    """

    model: ModelRecord
    record: FileSetRecord
    folder: Path

    @functools.cached_property
    def files(self) -> dict[str, Path]:
        """Its files by path."""
        return {entry.path: self.folder / entry.path for entry in self.record.entries}

    @functools.cached_property
    def formats(self) -> dict[str, str]:
        """The format of each file, told by its content; programs that torch exported are read by unpickling, too."""
        return {name: "pickle" if _is_torch_export(file) else format_of(file) for name, file in self.files.items()}

    def of_format(self, wanted: str) -> list[str]:
        """The files of a format."""
        return [name for name, kind in self.formats.items() if kind == wanted]


def _is_torch_export(file: Path) -> bool:
    with contextlib.suppress(zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError):
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                return any(name.endswith("/archive_format") for name in archive.namelist())
    return False


def materials_of(client: Client, models: Sequence[Model]) -> list[Material]:
    """Write the files of models into the cache, where they are not there yet.

    Raises:
        InvalidArgument: There is no model, or two of one name, or an archive that is damaged or made up to do harm.
    """
    if not models:
        raise InvalidArgument("a manifest holds one model or more; none was given")
    names = [model.record.name for model in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidArgument(f"a manifest holds one version of a model; {twice[0]!r} was given more than once")
    return [material_of(client, model.record) for model in models]


def check_trust(materials: Sequence[Material], *, trusted: bool) -> tuple[str, ...]:
    """Return the pickle-based files as `model/path`.

    Raises:
        InvalidArgument: There are some, and nobody said that they are trusted.
    """
    found = tuple(f"{each.model.name}/{name}" for each in materials for name in each.of_format("pickle"))
    if found and not trusted:
        raise InvalidArgument(
            f"{', '.join(found[:8])}: pickle-based, so that loading it runs code from it, here and wherever the "
            "manifest is served. If you trust its author, say trusted=True; to do without, save the model as skops "
            "(amlsdk does so when a fitted estimator is registered)"
        )
    return found


def material_of(client: Client, model: ModelRecord) -> Material:
    """Write the files of a model into the cache, where they are not there yet."""
    record = client.send(GetFileSet(digest=model.digest))
    folder = client.spool.cache / "models" / model.digest
    checkout(record, client.blobs, folder, overwrite=True)
    material = Material(model, record, folder)
    for name in material.of_format("skops"):
        check_archive(material.files[name])
    return material
