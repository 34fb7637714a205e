"""`aml project`."""

from __future__ import annotations

import click

from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_pairs, show_table

__all__ = ["project"]


@click.group()
def project() -> None:
    """Projects: folders of work."""


@project.command("list")
@json_option
@click.pass_obj
def list_projects(connection: Connection, as_json: bool) -> None:
    """List the projects."""
    records = [each.record for each in connection.open().projects]
    if as_json:
        show_json(records)
        return
    rows = [[r.name, r.folder, r.created_at, r.id] for r in records]
    show_table(["name", "folder", "created", "id"], rows, empty="no projects")


@project.command("create")
@click.argument("name")
@click.option("--folder", type=click.Path(exists=True, file_okay=False), default=".", show_default=True)
@click.option("--description", default="")
@json_option
@click.pass_obj
def create_project(connection: Connection, name: str, folder: str, description: str, as_json: bool) -> None:
    """Create a project of a folder."""
    made = connection.open(create=True).projects.create(name, folder=folder, description=description)
    show_json(made.record) if as_json else click.echo(f"project {made.name} {made.id}")


@project.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_project(connection: Connection, name: str, as_json: bool) -> None:
    """Show one project."""
    found = connection.open().projects.get(name)
    record = found.record
    if as_json:
        show_json(record)
        return
    facts = {"name": record.name, "id": record.id, "folder": record.folder, "created": record.created_at}
    if record.description:
        facts["description"] = record.description
    show_pairs(facts)
    rows = [[each.name, each.created_at, each.id] for each in found.experiments]
    show_table(["experiment", "created", "id"], rows, empty="no experiments")


@project.command("publish")
@click.argument("name")
@click.option("--remote", help="Name or URL of a git repository of your own; by default the project's.")
@click.option("--branch", help="To push to; by default the one that is checked out.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False),
    help="Your folder of the project, which it becomes; by default the one that was named last, by whomever.",
)
@json_option
@click.pass_obj
def publish_project(
    connection: Connection, name: str, remote: str | None, branch: str | None, folder: str | None, as_json: bool
) -> None:
    """Let the members of the workspace have the code: push what is committed."""
    found = connection.open().projects.get(name)
    if folder is not None:
        found.update(folder=folder)
    found.publish(remote, branch=branch)
    done = f"published {found.branch} {found.head} of {found.folder} to {found.remote}"
    show_json(found.record) if as_json else click.echo(done)


@project.command("clone")
@click.argument("name")
@click.argument("folder", type=click.Path(file_okay=False))
@json_option
@click.pass_obj
def clone_project(connection: Connection, name: str, folder: str, as_json: bool) -> None:
    """Write the published code out into a new folder."""
    found = connection.open().projects.get(name)
    place = found.clone(folder)
    show_json({"folder": str(place), "head": found.head}) if as_json else click.echo(f"cloned {name} into {place}")


@project.command("delete")
@click.argument("name")
@click.confirmation_option(prompt="Delete the project with all its experiments and runs?")
@json_option
@click.pass_obj
def delete_project(connection: Connection, name: str, as_json: bool) -> None:
    """Delete a project with its experiments and runs."""
    found = connection.open().projects.get(name)
    found.delete()
    show_json({"deleted": found.id}) if as_json else click.echo(f"deleted {name}")
