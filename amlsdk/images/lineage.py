"""What an image came from, as labels."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from amlsdk.errors import NotFound
from amlsdk.operations.models import GetModel
from amlsdk.operations.runs import GetRun, ListRunInputs
from amlsdk.records.manifests import ManifestModel, ManifestRecord
from amlsdk.service import Service

__all__ = ["lineage_of"]


def lineage_of(service: Service, manifest: ManifestRecord) -> dict[str, str]:
    """Return the digests and ids of the manifest, its models, the runs that made them, their code and their data.

    Only what is the same for equal manifests: the time of a build or its number would give each build another digest.
    """
    labels = {"amlsdk.manifest.digest": manifest.digest, "amlsdk.manifest.name": manifest.name}
    for model in manifest.models:
        labels |= dict(_of_model(service, model))
    return labels


def _of_model(service: Service, model: ManifestModel) -> Iterator[tuple[str, str]]:
    key = f"amlsdk.model.{model.name.replace(' ', '_')}"
    yield f"{key}.digest", model.digest
    yield f"{key}.version", str(model.version)
    try:
        record = service.send(GetModel(model_id=model.id))
        run = None if record.run_id is None else service.send(GetRun(run_id=record.run_id))
    except NotFound:
        return
    if run is not None:
        yield f"{key}.run", run.id
        if run.job is not None:
            yield f"{key}.snapshot", run.job.snapshot
        for name, digest in _inputs(service, run.id):
            yield f"{key}.input.{name}", digest


def _inputs(service: Service, run_id: str) -> Iterator[tuple[str, str]]:
    request = ListRunInputs(run_id=run_id)
    while True:
        page = service.send(request)
        for record in page.items:
            yield record.name, record.digest
        if page.next_token is None:
            return
        request = attrs.evolve(request, after=page.next_token)
