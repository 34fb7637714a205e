"""What one manifest has otherwise than another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from amlsdk.operations.filesets import GetFileSet
from amlsdk.records.manifests import ManifestRecord
from amlsdk.resources.service_spec import SPEC_FILE, read_spec

if TYPE_CHECKING:
    from amlsdk.records.filesets import FileSetRecord
    from amlsdk.resources.client import Client

__all__ = ["ManifestDifference", "compare"]

_DIFF_BYTES = 256 * 1024
_LONGEST = 60


@attrs.frozen(kw_only=True)
class ManifestDifference:
    """What is not the same in two manifests; false where nothing differs. Each pair is (first, second).

    Args:
        models: Versions and digests, by name; None where a manifest lacks the model.
        dependencies: Versions by name; where these are the same, the digests of the files.
        schema: Descriptions of inputs, and of the output, by name.
        environment: `python` and `platform`.
        script: What changed in the scoring script and what lies beside it: a unified diff of at most 256 KiB.
    """

    models: Mapping[str, tuple[str | None, str | None]]
    dependencies: Mapping[str, tuple[str | None, str | None]]
    schema: Mapping[str, tuple[str | None, str | None]]
    environment: Mapping[str, tuple[str | None, str | None]]
    script: str

    def __bool__(self) -> bool:
        """Say whether anything differs."""
        return any(bool(value) for value in attrs.asdict(self, recurse=False).values())

    def rows(self) -> list[list[Any]]:
        """Return a row a difference, the script aside: what it is, and what the first and the second manifest have."""
        kinds = ("models", "dependencies", "schema", "environment")
        return [[f"{kind}.{name}", *pair] for kind in kinds for name, pair in getattr(self, kind).items()]

    def __repr__(self) -> str:
        if not self:
            return "no differences: models, script, dependencies and schema are the same"
        from amlsdk.resources.values.text_views import table_text

        rows = self.rows()
        table = [table_text(["", "first", "second"], rows)] if rows else []
        return "\n\n".join([*table, *([self.script.rstrip()] if self.script else [])])


def compare(client: Client, first: ManifestRecord, second: ManifestRecord) -> ManifestDifference:
    """Say what the second manifest has otherwise than the first."""
    from amlsdk.filesets.compare import text_diff

    trees = [_tree(client, record) for record in (first, second)]
    return ManifestDifference(
        models=_pairs(*(_models(record) for record in (first, second))),
        dependencies=_pairs(*_dependencies(first, second)),
        schema=_pairs(*(_schema(client, record) for record in (first, second))),
        environment=_pairs(*({"python": each.python, "platform": each.platform} for each in (first, second))),
        script=text_diff(trees[0], trees[1], client.blobs, limit_bytes=_DIFF_BYTES),
    )


def _pairs(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, tuple[str | None, str | None]]:
    names: Iterable[str] = sorted({*first, *second})
    return {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}


def _models(record: ManifestRecord) -> dict[str, str]:
    return {each.name: f"version {each.version}, {each.digest[:12]}" for each in record.models}


def _dependencies(first: ManifestRecord, second: ManifestRecord) -> tuple[dict[str, str], dict[str, str]]:
    versions = [{each.name: each.version for each in record.dependencies} for record in (first, second)]
    files = [{each.name: each.files for each in record.dependencies} for record in (first, second)]
    same = {name for name in versions[0] if versions[0][name] == versions[1].get(name)}
    shown = [
        {name: f"{version}, files {files[at][name][:12]}" if name in same else version for name, version in one.items()}
        for at, one in enumerate(versions)
    ]
    return shown[0], shown[1]


def _schema(client: Client, record: ManifestRecord) -> dict[str, str]:
    spec = read_spec(client, record)
    told = {each.name: {"kind": each.kind, "as_array": each.as_array, **each.schema} for each in spec.inputs}
    columns = {
        f"{each.name}.{column.name}": f"{column.kind}, {column.dtype}{', nullable' if column.nullable else ''}"
        for each in spec.inputs
        for column in each.columns
    }
    plain = {
        name: f"{schema['kind']}{', as an array' if schema['as_array'] else ''}"
        if any(key.startswith(f"{name}.") for key in columns)
        else _short(schema)
        for name, schema in told.items()
    }
    return {**plain, **columns, "result": _short(spec.output)}


def _short(schema: Mapping[str, Any]) -> str:
    text = json.dumps(schema, sort_keys=True)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _tree(client: Client, record: ManifestRecord) -> FileSetRecord:
    from amlsdk.filesets.listing import record_of

    tree = client.send(GetFileSet(digest=record.files))
    return record_of([entry for entry in tree.entries if entry.path != SPEC_FILE])
