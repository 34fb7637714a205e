"""`aml team` and `aml workspace`: who shares what."""

from __future__ import annotations

import click

from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_pairs, show_table

__all__ = ["team", "workspace"]


@click.group()
def team() -> None:
    """Teams of a service: people, and the workspaces they share."""


@team.command("list")
@json_option
@click.pass_obj
def list_teams(connection: Connection, as_json: bool) -> None:
    """List the teams that you are a member of."""
    records = [each.record for each in connection.open_service().teams]
    if as_json:
        show_json(records)
        return
    rows = [[r.name, r.resource_group, r.created_at, r.id] for r in records]
    show_table(["name", "resource group", "created", "id"], rows, empty="no teams")


@team.command("create")
@click.argument("name")
@click.option("--resource-group", default="", help="A label, such as the resource group that pays.")
@click.option("--description", default="")
@json_option
@click.pass_obj
def create_team(connection: Connection, name: str, resource_group: str, description: str, as_json: bool) -> None:
    """Create a team, owned by you."""
    teams = connection.open_service().teams
    made = teams.create(name, resource_group=resource_group, description=description)
    show_json(made.record) if as_json else click.echo(f"team {made.name} {made.id}")


@team.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_team(connection: Connection, name: str, as_json: bool) -> None:
    """Show one team: its members and workspaces."""
    found = connection.open_service().teams.get(name)
    listed = found.members
    members = [each.record for each in listed]
    workspaces = [each.record for each in found.workspaces]
    if as_json:
        show_json({"team": found.record, "members": members, "workspaces": workspaces})
        return
    facts = {"name": found.name, "id": found.id, "resource group": found.resource_group, "created": found.created_at}
    show_pairs({**facts, "description": found.description} if found.description else facts)
    rows = [[m.user, m.role, listed.how(m)] for m in members]
    show_table(["user", "role", "how"], rows, empty="no members")
    show_table(["workspace", "region", "id"], [[w.name, w.region, w.id] for w in workspaces], empty="no workspaces")


@team.command("delete")
@click.argument("name")
@click.confirmation_option(prompt="Delete the team?")
@json_option
@click.pass_obj
def delete_team(connection: Connection, name: str, as_json: bool) -> None:
    """Delete a team that has no workspaces."""
    found = connection.open_service().teams.get(name)
    found.delete()
    show_json({"deleted": found.id}) if as_json else click.echo(f"deleted {name}")


@click.group()
def workspace() -> None:
    """Workspaces of a service; -w URL/w/NAME opens one."""


@workspace.command("list")
@click.option("--team", "team_name", help="Only those of a team.")
@json_option
@click.pass_obj
def list_workspaces(connection: Connection, team_name: str | None, as_json: bool) -> None:
    """List the workspaces that you are a member of."""
    subscription = connection.open_service()
    found = subscription.workspaces if team_name is None else subscription.teams.get(team_name).workspaces
    records = [each.record for each in found]
    if as_json:
        show_json(records)
        return
    rows = [[r.name, r.region, r.role, r.created_at, r.id] for r in records]
    show_table(["name", "region", "role", "created", "id"], rows, empty="no workspaces")


@workspace.command("create")
@click.argument("name")
@click.option("--team", "team_name", default="default", show_default=True)
@click.option("--region", default="", help="One of the subscription's, where it has some.")
@click.option("--description", default="")
@json_option
@click.pass_obj
def create_workspace(
    connection: Connection, name: str, team_name: str, region: str, description: str, as_json: bool
) -> None:
    """Create a workspace, owned by you."""
    owner = connection.open_service().teams.get(team_name)
    made = owner.workspaces.create(name, region=region, description=description)
    show_json(made.record) if as_json else click.echo(f"workspace {made.name} {made.id}\n{made.location}")


@workspace.command("delete")
@click.argument("name")
@click.confirmation_option(prompt="Delete the workspace?")
@json_option
@click.pass_obj
def delete_workspace(connection: Connection, name: str, as_json: bool) -> None:
    """Delete a workspace that holds no projects, models, manifests or deployments."""
    found = connection.open_service().workspaces.get(name)
    found.delete()
    show_json({"deleted": found.id}) if as_json else click.echo(f"deleted {name}")
