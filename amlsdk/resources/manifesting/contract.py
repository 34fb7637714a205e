"""The contract of a service, and the folder that keeps it beside the script."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amlsdk.filesets.snapshot import snapshot
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.records.converting import CONVERTER
from amlsdk.records.serving import ServedModel, ServiceSpec
from amlsdk.resources.manifesting.materials import Material
from amlsdk.resources.manifesting.plans import Plan
from amlsdk.resources.manifesting.probing import Outcome
from amlsdk.resources.manifesting.samples import described
from amlsdk.resources.manifesting.schemas import json_schema
from amlsdk.resources.manifesting.workbench import put

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["keep_app", "spec_of"]

_FILE = "service.json"


def spec_of(name: str, materials: Sequence[Material], plan: Plan, outcome: Outcome) -> ServiceSpec:
    """Return what a service is told."""
    return ServiceSpec(
        name=name,
        script=plan.script,
        models=tuple(
            ServedModel(
                name=each.model.name, version=each.model.version, digest=each.model.digest, format=each.model.format
            )
            for each in materials
        ),
        inputs=tuple(map(described, plan.sample.inputs)),
        output=json_schema(outcome.result, result=True),
        sample=plan.sample.body,
        sample_result=outcome.result,
    )


def keep_app(client: Client, plan: Plan, spec: ServiceSpec) -> str:
    """Keep the script, what lies beside it and `service.json`; return the digest of the FileSet."""
    import orjson

    content = orjson.dumps(CONVERTER.unstructure(spec), option=orjson.OPT_SORT_KEYS)
    with tempfile.TemporaryDirectory(prefix="amlsdk-app-") as folder:
        for path, file in {**plan.files, _FILE: content}.items():
            put(Path(folder, path), file)
        record = snapshot(Path(folder), client.blobs, everything=True).record
    return client.send(CreateFileSet(entries=record.entries)).digest
