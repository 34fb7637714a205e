"""The next version of a manifest: what is not given stays as it is."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amlsdk.errors import AmlError
from amlsdk.filesets.checkout import checkout
from amlsdk.operations.filesets import GetFileSet
from amlsdk.operations.models import GetModel
from amlsdk.records.filesets import FileSetRecord
from amlsdk.records.manifests import ManifestRecord
from amlsdk.resources.manifesting.creating import create_manifest
from amlsdk.resources.manifesting.generating import draft_for
from amlsdk.resources.manifesting.materials import material_of
from amlsdk.resources.manifesting.samples import Sample
from amlsdk.resources.manifesting.scripts import Kept
from amlsdk.resources.service_spec import SPEC_FILE, read_spec

if TYPE_CHECKING:
    from amlsdk.resources.client import Client
    from amlsdk.resources.model import Model

__all__ = ["new_version"]

_TRUSTED = re.compile(r"^TRUSTED = (\[.*?\])$", re.MULTILINE | re.DOTALL)


def new_version(
    client: Client,
    record: ManifestRecord,
    models: Sequence[Model],
    *,
    scoring: str | os.PathLike[str] | Callable[..., Any] | None,
    sample: Any,
    dependencies: Sequence[str] | None,
    trusted: bool,
    description: str,
) -> ManifestRecord:
    """Record the next version of a manifest.

    Args:
        client: Where to.
        record: The version before.
        models: What it serves now.
        scoring: Another script; None keeps the one it has, and writes one anew where amlsdk wrote it.
        sample: Other data; None keeps the sample it has.
        dependencies: Distributions to be had beside those that are found; None keeps those that were named before.
        trusted: Pickle-based files may run code.
        description: Free text.
    """
    tree = client.send(GetFileSet(digest=record.files))
    data = _sample(client, record) if sample is None else sample
    with tempfile.TemporaryDirectory(prefix="amlsdk-script-") as folder:
        kept: Kept | None = None
        if scoring is None and not _is_generated(client, record, tree):
            checkout(_without_spec(tree), client.blobs, Path(folder))
            kept = Kept(Path(folder), record.script)
        return create_manifest(
            client,
            record.name,
            models,
            scoring=kept or scoring,
            sample=data,
            dependencies=_named(record) if dependencies is None else dependencies,
            trusted=trusted,
            description=description,
        )


def _named(record: ManifestRecord) -> list[str]:
    # Without their versions: a newer one may be installed by now.
    return [one.name for one in record.dependencies if one.by_hand]


def _sample(client: Client, record: ManifestRecord) -> Sample:
    spec = read_spec(client, record)
    return Sample(inputs=spec.inputs, body=spec.sample)


def _without_spec(tree: FileSetRecord) -> FileSetRecord:
    from amlsdk.filesets.listing import record_of

    return record_of([entry for entry in tree.entries if entry.path != SPEC_FILE])


def _is_generated(client: Client, record: ManifestRecord, tree: FileSetRecord) -> bool:
    """Say whether the script is, to the letter, what amlsdk writes for these models: a changed one is the user's."""
    entry = next(entry for entry in tree.entries if entry.path == record.script)
    text = client.blobs.open(entry.digest).read().decode("utf-8", "replace")
    found = _TRUSTED.search(text)
    types = re.findall(r'"([^"]+)"', found[1]) if found else []
    try:
        models = [client.send(GetModel(model_id=each.id)) for each in record.models]
        draft = draft_for([material_of(client, each) for each in models])
    except AmlError:
        return False
    return text in {draft.text(row_wise=row_wise, types=types) for row_wise in (False, True)}
