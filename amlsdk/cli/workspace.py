"""`aml info` and `aml gc`."""

from __future__ import annotations

import click

from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_pairs

__all__ = ["collect_garbage", "info"]


@click.command()
@json_option
@click.pass_obj
def info(connection: Connection, as_json: bool) -> None:
    """Show what the workspace is."""
    facts = connection.open().info()
    show_json(facts) if as_json else show_pairs(facts)


@click.command("gc")
@click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(0),
    default=7200.0,
    show_default=True,
    metavar="SECONDS",
    help="Leave files that were stored so many seconds ago or later.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
@click.pass_obj
def collect_garbage(connection: Connection, grace_s: float, dry_run: bool, as_json: bool) -> None:
    """Remove stored files that nothing refers to any more.

    What a run, a model or a snapshot still refers to always stays.
    """
    found = connection.open().collect_garbage(grace_s=grace_s, dry_run=dry_run)
    if as_json:
        show_json(found)
        return
    verb = "would remove" if dry_run else "removed"
    click.echo(f"{verb} {found.blob_count} stored files, {found.size_bytes / 1e6:.1f} MB; {found.kept_count} stay")
