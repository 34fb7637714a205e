"""`aml trace`: the way back from a prediction to data and code, as a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

import amlsdk
from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json
from amlsdk.resources.values.text_views import cell_text

__all__ = ["trace"]

_FIND: Mapping[str, Callable[[amlsdk.Workspace, str, int | None], Any]] = {
    "deployment": lambda workspace, name, _: workspace.deployments.get(name),
    "image": lambda workspace, name, version: workspace.images.get(name, version),
    "manifest": lambda workspace, name, version: workspace.manifests.get(name, version),
    "model": lambda workspace, name, version: workspace.models.get(name, version),
    "run": lambda workspace, name, _: workspace.runs.get(name),
}
# From the prediction down to the data.
_STEPS = ("deployment", "image", "manifest", "model", "run")


@click.command()
@click.argument("name")
@click.option(
    "--of", "kind", type=click.Choice(list(_FIND)), default="deployment", show_default=True, help="What NAME is."
)
@click.option("--version", type=click.IntRange(1), help="Of the image, manifest or model. Default: the newest.")
@json_option
@click.pass_obj
def trace(connection: Connection, name: str, kind: str, version: int | None, as_json: bool) -> None:
    """Print the way back from what serves to the code and data behind it."""
    found = _FIND[kind](connection.open(), name, version).lineage()
    if as_json:
        show_json(found)
        return
    for line in _lines(found, 0):
        click.echo(line)


def _lines(lineage: Mapping[str, Any], depth: int) -> Iterator[str]:
    for step in _STEPS:
        if step == "model" and "models" in lineage:
            for one in lineage["models"]:
                yield from _lines(one, depth)
            return
        if lineage.get(step):
            yield _line(depth, step, lineage[step])
            depth += 1
    if lineage.get("snapshot"):
        yield _line(depth, "snapshot", lineage["snapshot"])
    for name, data in (lineage.get("inputs") or {}).items():
        yield _line(depth, "input", {"name": name, **data})
        if "from" in data:
            yield from _lines(data["from"], depth + 1)


def _line(depth: int, kind: str, facts: Mapping[str, Any]) -> str:
    named = [str(facts["name"])] if "name" in facts else []
    version = [f"version {facts['version']}"] if "version" in facts else []
    digest = [str(facts["digest"])] if facts.get("digest") else []
    id_ = [str(facts["id"])] if "id" in facts and not digest else []
    text = "  ".join([" ".join([kind, *named, *version]), *digest, *id_])
    return f"{'   ' * (depth - 1) + '└─ ' if depth else ''}{cell_text(text)}"
