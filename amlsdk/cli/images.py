"""`aml image`."""

from __future__ import annotations

import sys

import click

from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_pairs, show_table

__all__ = ["image"]

_version = click.option("--version", type=click.IntRange(1), help="Default: the newest.")


@click.group()
def image() -> None:
    """Images: self-contained container images, made of manifests."""


@image.command("build")
@click.argument("manifest_name", metavar="MANIFEST")
@click.option("--version", type=click.IntRange(1), help="Of the manifest. Default: the newest.")
@click.option("--name", help="Of the image. Default: the manifest's.")
@click.option("--builder", default="oci", show_default=True, help="How it is made.")
@click.option("--base", metavar="PATH", help="OCI archive or layout to build upon. Default: this machine's Python.")
@click.option("--detach", is_flag=True, help="Return at once.")
@json_option
@click.pass_obj
def build_image(
    connection: Connection,
    manifest_name: str,
    version: int | None,
    name: str | None,
    builder: str,
    base: str | None,
    detach: bool,
    as_json: bool,
) -> None:
    """Build an image of a manifest, without a daemon; Ctrl-C ends the build."""
    manifest = connection.open().manifests.get(manifest_name, version)
    stream = sys.stderr if as_json else sys.stdout
    made = manifest.build_image(name, builder=builder, base=base, wait=not detach, show_output=stream)
    if as_json:
        show_json(made.record)
    else:
        click.echo(made.id if detach else repr(made)[1:-1])


@image.command("list")
@click.option("--name", help="Only versions of this image.")
@json_option
@click.pass_obj
def list_images(connection: Connection, name: str | None, as_json: bool) -> None:
    """List the versions of images, newest first."""
    records = [each.record for each in connection.open().images.list(name=name)]
    if as_json:
        show_json(records)
        return
    rows = [
        [r.name, r.version, r.status, r.size_bytes or None, (r.digest or "")[:12], r.platform, r.created_at]
        for r in records
    ]
    columns = ["name", "version", "status", "size_bytes", "digest", "platform", "created"]
    show_table(columns, rows, empty="no images", whole=("name", "version"))


@image.command("show")
@click.argument("name")
@_version
@json_option
@click.pass_obj
def show_image(connection: Connection, name: str, version: int | None, as_json: bool) -> None:
    """Show a version: digest, layers, sizes."""
    found = connection.open().images.get(name, version)
    record = found.record
    if as_json:
        show_json(record)
        return
    manifest = found.manifest
    facts = {
        "name": record.name,
        "version": record.version,
        "id": record.id,
        "status": record.status,
        "error": record.error,
        "digest": found.digest,
        "manifest": f"{manifest.name} version {manifest.version}",
        "base": record.base,
        "platform": record.platform,
        "python": record.python,
        "size_bytes": record.size_bytes,
        "unpacked_bytes": record.unpacked_bytes,
        "created": record.created_at,
        "user": record.user,
    }
    show_pairs({key: value for key, value in facts.items() if value not in (None, "", 0)})
    if record.layers:
        click.echo("\nlayers")
        rows = [[layer.kind, layer.size_bytes, layer.unpacked_bytes, layer.digest[:12]] for layer in record.layers]
        show_table(["kind", "size_bytes", "unpacked_bytes", "digest"], rows)


@image.command("logs")
@click.argument("name")
@_version
@click.option("-f", "--follow", is_flag=True, help="Go on until the build ends.")
@click.pass_obj
def show_logs(connection: Connection, name: str, version: int | None, follow: bool) -> None:
    """Print a build log."""
    for line in connection.open().images.get(name, version).logs(follow=follow):
        click.echo(line)


@image.command("save")
@click.argument("name")
@click.argument("path")
@_version
@click.pass_obj
def save_image(connection: Connection, name: str, path: str, version: int | None) -> None:
    """Write an image as an archive that docker, podman and skopeo load, or into a folder as an OCI layout."""
    found = connection.open().images.get(name, version)
    click.echo(f"{found.name} version {found.version} is in {found.save(path)}")


@image.command("cancel")
@click.argument("name")
@_version
@json_option
@click.pass_obj
def cancel_image(connection: Connection, name: str, version: int | None, as_json: bool) -> None:
    """Ask that a build end."""
    found = connection.open().images.get(name, version)
    found.cancel()
    show_json(found.record) if as_json else click.echo(f"{found.name} version {found.version} {found.record.status}")


@image.command("delete")
@click.argument("name")
@click.option("--version", type=click.IntRange(1), required=True, help="Its number; there is no default.")
@click.confirmation_option(prompt="Delete this version?")
@json_option
@click.pass_obj
def delete_image(connection: Connection, name: str, version: int, as_json: bool) -> None:
    """Delete a version of an image."""
    found = connection.open().images.get(name, version)
    found.delete()
    show_json({"deleted": found.id}) if as_json else click.echo(f"deleted {name} version {version}")
