"""`aml experiment`."""

from __future__ import annotations

import click

from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_table

__all__ = ["experiment"]


@click.group()
def experiment() -> None:
    """Experiments: runs that are compared."""


@experiment.command("list")
@click.option("--project", help="Only those of this project.")
@json_option
@click.pass_obj
def list_experiments(connection: Connection, project: str | None, as_json: bool) -> None:
    """List the experiments."""
    workspace = connection.open()
    names = {each.id: each.name for each in workspace.projects}
    found = workspace.projects.get(project).experiments if project else workspace.experiments
    records = [each.record for each in found]
    if as_json:
        show_json(records)
        return
    rows = [[names.get(r.project_id, ""), r.name, r.created_at, r.id] for r in records]
    show_table(["project", "name", "created", "id"], rows, empty="no experiments")


@experiment.command("delete")
@click.argument("name")
@click.option("--project", help="Its project, where several have one of this name.")
@click.confirmation_option(prompt="Delete the experiment with all its runs?")
@json_option
@click.pass_obj
def delete_experiment(connection: Connection, name: str, project: str | None, as_json: bool) -> None:
    """Delete an experiment with its runs."""
    workspace = connection.open()
    found = workspace.projects.get(project).experiments if project else workspace.experiments
    one = found.get(name)
    one.delete()
    show_json({"deleted": one.id}) if as_json else click.echo(f"deleted {name}")
