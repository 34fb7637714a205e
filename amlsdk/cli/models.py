"""`aml model`."""

from __future__ import annotations

from collections.abc import Mapping

import click

import amlsdk
from amlsdk.cli.app import Connection
from amlsdk.cli.options import pairs
from amlsdk.cli.output import json_option, show_json, show_pairs, show_table
from amlsdk.records.models import ModelRecord

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
    columns = ["name", "version", "format", "aliases", "algorithm", "created", "run"]
    show_table(columns, rows, empty="no models", whole=("name", "version"))


@model.command("register")
@click.argument("name")
@click.argument("path")
@click.option("--run", "run_id", help="The run whose output PATH is.")
@click.option("--description", default="", help="Free text.")
@click.option("--tag", "tags", multiple=True, callback=pairs, metavar="NAME=VALUE", help="A tag; again for more.")
@click.option("--alias", "aliases", multiple=True, help="A name that shall point at this version; again for more.")
@json_option
@click.pass_obj
def register_model(
    connection: Connection,
    name: str,
    path: str,
    run_id: str | None,
    description: str,
    tags: dict[str, str],
    aliases: tuple[str, ...],
    as_json: bool,
) -> None:
    """Register a file or folder as the next version of a model.

    PATH is on this machine; with --run it is among that run's outputs.
    """
    workspace = connection.open(create=run_id is None)
    register = workspace.models.create if run_id is None else workspace.runs.get(run_id).register_model
    made = register(name, path, description=description, tags=tags, aliases=aliases)
    show_json(made.record) if as_json else click.echo(repr(made)[1:-1])


@model.command("show")
@click.argument("name")
@_version
@_alias
@json_option
@click.pass_obj
def show_model(connection: Connection, name: str, version: int | None, alias: str | None, as_json: bool) -> None:
    """Show a version of a model."""
    found = _found(connection, name, version, alias)
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
        "user": record.user,
        "same as version": record.same_as,
        "description": record.description,
    }
    facts = {key: value for key, value in facts.items() if value not in (None, "")}
    facts |= {f"hyperparameters.{key}": value for key, value in _hyperparameters(record).items()}
    facts |= {f"tags.{key}": value for key, value in sorted(record.tags.items())}
    show_pairs(facts)
    click.echo("files")
    show_table(["path", "size_bytes"], [[file.path, file.size_bytes] for file in found.files])


def _hyperparameters(record: ModelRecord) -> dict[str, object]:
    found = record.algorithm.get("hyperparameters")
    return dict(sorted(found.items())) if isinstance(found, Mapping) else {}


def _found(connection: Connection, name: str, version: int | None, alias: str | None) -> amlsdk.Model:
    if version is not None and alias is not None:
        raise click.UsageError("--version and --alias name one version each; give one of them")
    return connection.open().models.get(name, version, alias=alias)


@model.command("alias")
@click.argument("name")
@click.argument("alias_name", metavar="ALIAS")
@_version
@click.option("--remove", is_flag=True, help="Take the alias away.")
@json_option
@click.pass_obj
def set_alias(
    connection: Connection, name: str, alias_name: str, version: int | None, remove: bool, as_json: bool
) -> None:
    """Let an alias point at a version."""
    models = connection.open().models
    found = models.get(name, alias=alias_name) if remove else models.get(name, version)
    found = found.remove_alias(alias_name) if remove else found.set_alias(alias_name)
    if as_json:
        show_json(found.record)
        return
    removed = "is no alias" if remove else "is an alias"
    click.echo(f"{alias_name} {removed} of {found.name} version {found.version}")


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
    found = _found(connection, name, version, alias)
    click.echo(f"{found.name} version {found.version} is in {found.download(folder, overwrite=overwrite)}")


@model.command("delete")
@click.argument("name")
@click.option("--version", type=click.IntRange(1), required=True, help="Its number; there is no default.")
@click.confirmation_option(prompt="Delete this version?")
@json_option
@click.pass_obj
def delete_model(connection: Connection, name: str, version: int, as_json: bool) -> None:
    """Delete a version of a model."""
    found = connection.open().models.get(name, version)
    found.delete()
    show_json({"deleted": found.id}) if as_json else click.echo(f"deleted {name} version {version}")
