"""`aml model`."""

from __future__ import annotations

import click

from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_pairs, show_table

__all__ = ["model"]

_version = click.option("--version", type=click.IntRange(1), help="Default: the newest.")
_alias = click.option("--alias", help="The version that this alias points at.")


@click.group()
def model() -> None:
    """Registered models."""


@model.command("list")
@click.option("--name", help="Only versions of this model.")
@json_option
@click.pass_obj
def list_models(connection: Connection, name: str | None, as_json: bool) -> None:
    """List the versions of models, newest first."""
    records = [each.record for each in connection.open().models.list(name=name)]
    if as_json:
        show_json(records)
        return
    rows = [
        [r.name, r.version, r.format, ", ".join(r.aliases), r.algorithm.get("class"), r.created_at, r.run_id]
        for r in records
    ]
    show_table(["name", "version", "format", "aliases", "algorithm", "created", "run"], rows)


@model.command("register")
@click.argument("name")
@click.argument("path")
@click.option("--run", "run_id", help="The run whose output PATH is.")
@click.option("--description", default="")
@click.option("--alias", "aliases", multiple=True)
@json_option
@click.pass_obj
def register_model(
    connection: Connection,
    name: str,
    path: str,
    run_id: str | None,
    description: str,
    aliases: tuple[str, ...],
    as_json: bool,
) -> None:
    """Register a file or folder as the next version of a model."""
    workspace = connection.open(create=True)
    if run_id is None:
        made = workspace.models.create(name, path, description=description, aliases=aliases)
    else:
        made = workspace.runs.get(run_id).register_model(name, path, description=description, aliases=aliases)
    show_json(made.record) if as_json else click.echo(repr(made)[1:-1])


@model.command("show")
@click.argument("name")
@_version
@_alias
@json_option
@click.pass_obj
def show_model(connection: Connection, name: str, version: int | None, alias: str | None, as_json: bool) -> None:
    """Show a version of a model."""
    found = connection.open().models.get(name, version, alias=alias)
    record = found.record
    if as_json:
        show_json(record)
        return
    facts = {
        "name": record.name,
        "version": record.version,
        "id": record.id,
        "format": record.format,
        "algorithm": record.algorithm.get("class"),
        "digest": record.digest,
        "size_bytes": record.size_bytes,
        "run": record.run_id,
        "aliases": ", ".join(record.aliases),
        "created": record.created_at,
    }
    facts |= {f"tags.{key}": value for key, value in sorted(record.tags.items())}
    show_pairs(facts)
    show_table(["path", "size_bytes"], [[file.path, file.size_bytes] for file in found.files])


@model.command("alias")
@click.argument("name")
@click.argument("alias_name", metavar="ALIAS")
@_version
@click.option("--remove", is_flag=True, help="Take the alias away.")
@click.pass_obj
def set_alias(connection: Connection, name: str, alias_name: str, version: int | None, remove: bool) -> None:
    """Let an alias point at a version."""
    models = connection.open().models
    found = models.get(name, alias=alias_name) if remove else models.get(name, version)
    found = found.remove_alias(alias_name) if remove else found.set_alias(alias_name)
    click.echo(repr(found)[1:-1])


@model.command("download")
@click.argument("name")
@click.argument("folder", type=click.Path(file_okay=False))
@_version
@_alias
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.pass_obj
def download_model(
    connection: Connection, name: str, folder: str, version: int | None, alias: str | None, overwrite: bool
) -> None:
    """Write a model's files into a folder."""
    click.echo(connection.open().models.get(name, version, alias=alias).download(folder, overwrite=overwrite))


@model.command("delete")
@click.argument("name")
@click.option("--version", type=click.IntRange(1), required=True)
@click.confirmation_option(prompt="Delete this version?")
@click.pass_obj
def delete_model(connection: Connection, name: str, version: int) -> None:
    """Delete a version of a model."""
    connection.open().models.delete(name, version)
    click.echo(f"deleted {name} version {version}")
