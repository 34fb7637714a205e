"""`aml manifest`."""

from __future__ import annotations

import click

from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_pairs, show_table
from amlsdk.cli.samples import read_data, sample_option

__all__ = ["manifest"]

_version = click.option("--version", type=click.IntRange(1), help="Default: the newest.")


@click.group()
def manifest() -> None:
    """Manifests: all that a scoring service is made of."""


@manifest.command("create")
@click.argument("model_name", metavar="MODEL")
@click.option("--version", type=click.IntRange(1), help="Of the model. Default: the newest.")
@click.option("--alias", help="The version of the model that this alias points at.")
@click.option("--name", help="Of the manifest. Default: the model's.")
@click.option("--scoring", metavar="PATH", help="Scoring script, or a folder with score.py. Default: a generated one.")
@sample_option
@click.option("--dependency", "dependencies", multiple=True, help="A further distribution; again for more.")
@click.option("--trusted", is_flag=True, help="Let pickle-based files of the model run their code.")
@click.option("--description", default="", help="Free text.")
@json_option
@click.pass_obj
def create_manifest(
    connection: Connection,
    model_name: str,
    version: int | None,
    alias: str | None,
    name: str | None,
    scoring: str | None,
    sample: str | None,
    dependencies: tuple[str, ...],
    trusted: bool,
    description: str,
    as_json: bool,
) -> None:
    """Make the next version of a manifest of a model; its scoring script is run on the sample."""
    model = connection.open().models.get(model_name, version, alias=alias)
    made = model.create_manifest(
        name,
        scoring=scoring,
        sample=read_data(sample),
        dependencies=dependencies or None,
        trusted=trusted,
        description=description,
    )
    if as_json:
        show_json(made.record)
        return
    click.echo(repr(made)[1:-1])
    for note in made.notes:
        click.echo(f"note: {note}", err=True)


@manifest.command("list")
@click.option("--name", help="Only versions of this manifest.")
@json_option
@click.pass_obj
def list_manifests(connection: Connection, name: str | None, as_json: bool) -> None:
    """List the versions of manifests, newest first."""
    records = [each.record for each in connection.open().manifests.list(name=name)]
    if as_json:
        show_json(records)
        return
    rows = [
        [r.name, r.version, ", ".join(f"{m.name} {m.version}" for m in r.models), r.digest[:12], r.created_at]
        for r in records
    ]
    columns = ["name", "version", "models", "digest", "created"]
    show_table(columns, rows, empty="no manifests", whole=("name", "version"))


@manifest.command("show")
@click.argument("name")
@_version
@json_option
@click.pass_obj
def show_manifest(connection: Connection, name: str, version: int | None, as_json: bool) -> None:
    """Show a version: models, dependencies, notes, scoring script."""
    found = connection.open().manifests.get(name, version)
    record = found.record
    if as_json:
        show_json({"manifest": record, "schema": found.schema, "sample": found.sample, "script": found.script})
        return
    facts = {
        "name": record.name,
        "version": record.version,
        "id": record.id,
        "digest": record.digest,
        "models": ", ".join(f"{one.name} {one.version}" for one in record.models),
        "python": f"{record.python} on {record.platform}",
        "unsafe": ", ".join(record.unsafe),
        "created": record.created_at,
        "user": record.user,
        "same as version": record.same_as,
        "description": record.description,
        "notes": "\n".join(record.notes),
    }
    show_pairs({key: value for key, value in facts.items() if value not in (None, "")})
    click.echo("\ndependencies")
    rows = [[one.name, one.version, one.size_bytes, one.sha256 and one.sha256[:12]] for one in found.dependencies]
    show_table(["name", "version", "size_bytes", "wheel sha256"], rows, empty="none")
    click.echo(f"\n{record.script}\n{found.script}")


@manifest.command("compare")
@click.argument("name")
@click.argument("first", type=click.IntRange(1))
@click.argument("second", type=click.IntRange(1))
@click.pass_obj
def compare_manifests(connection: Connection, name: str, first: int, second: int) -> None:
    """Say what differs between two versions."""
    manifests = connection.open().manifests
    click.echo(str(manifests.get(name, first).compare(manifests.get(name, second))))


@manifest.command("download")
@click.argument("name")
@click.argument("folder", type=click.Path(file_okay=False))
@_version
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.pass_obj
def download_manifest(connection: Connection, name: str, folder: str, version: int | None, overwrite: bool) -> None:
    """Write the scoring script and what lies beside it into a folder."""
    found = connection.open().manifests.get(name, version)
    click.echo(f"{found.name} version {found.version} is in {found.download(folder, overwrite=overwrite)}")


@manifest.command("delete")
@click.argument("name")
@click.option("--version", type=click.IntRange(1), required=True, help="Its number; there is no default.")
@click.confirmation_option(prompt="Delete this version?")
@json_option
@click.pass_obj
def delete_manifest(connection: Connection, name: str, version: int, as_json: bool) -> None:
    """Delete a version of a manifest."""
    found = connection.open().manifests.get(name, version)
    found.delete()
    show_json({"deleted": found.id}) if as_json else click.echo(f"deleted {name} version {version}")
