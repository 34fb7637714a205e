"""`aml member` and `aml token`: who may do what, and what lets them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_table
from amlsdk.records.ids import is_id
from amlsdk.records.tenancy import ROLES
from amlsdk.resources.members import MemberCollection
from amlsdk.resources.tokens import TokenCollection

__all__ = ["member", "token"]

_DAY_S = 86_400.0


def _place(command: Callable[..., Any]) -> Callable[..., Any]:
    by_team = click.option("--team", "team_name", help="Members of a team, in place of the workspace.")
    of_all = click.option("--subscription", "of_subscription", is_flag=True, help="Members of the subscription.")
    return by_team(of_all(command))


def _members(connection: Connection, team_name: str | None, of_subscription: bool) -> MemberCollection:
    if team_name is not None and of_subscription:
        raise click.UsageError("--team and --subscription are two places; give one")
    if team_name is None and not of_subscription:
        return connection.open().members
    subscription = connection.open_service()
    return subscription.members if team_name is None else subscription.teams.get(team_name).members


@click.group()
def member() -> None:
    """Members of a workspace, a team or the subscription; roles are inherited downward."""


@member.command("list")
@_place
@json_option
@click.pass_obj
def list_members(connection: Connection, team_name: str | None, of_subscription: bool, as_json: bool) -> None:
    """List members, with those who inherit their role."""
    members = _members(connection, team_name, of_subscription)
    records = [each.record for each in members]
    if as_json:
        show_json(records)
        return
    rows = [[r.user, r.role, members.how(r), r.invited_by, r.created_at] for r in records]
    show_table(["user", "role", "how", "invited by", "since"], rows, empty="no members")


@member.command("create")
@click.argument("user")
@click.option("--role", type=click.Choice(ROLES), default="reader", show_default=True)
@_place
@json_option
@click.pass_obj
def create_member(
    connection: Connection, user: str, role: str, team_name: str | None, of_subscription: bool, as_json: bool
) -> None:
    """Let a user in. `aml token create --user USER` makes a token to give to somebody new."""
    made = _members(connection, team_name, of_subscription).create(user, role=role)
    show_json(made.record) if as_json else click.echo(f"{made.user} is {made.role}")


@member.command("update")
@click.argument("user")
@click.option("--role", type=click.Choice(ROLES), required=True)
@_place
@json_option
@click.pass_obj
def update_member(
    connection: Connection, user: str, role: str, team_name: str | None, of_subscription: bool, as_json: bool
) -> None:
    """Give a member another role."""
    found = _members(connection, team_name, of_subscription).get(user).update(role=role)
    show_json(found.record) if as_json else click.echo(f"{found.user} is {found.role}")


@member.command("delete")
@click.argument("user")
@_place
@json_option
@click.pass_obj
def delete_member(
    connection: Connection, user: str, team_name: str | None, of_subscription: bool, as_json: bool
) -> None:
    """Take a member's role away; what they made stays."""
    found = _members(connection, team_name, of_subscription).get(user)
    found.delete()
    show_json({"deleted": found.id}) if as_json else click.echo(f"{user} is no member any more")


def _tokens(connection: Connection, of_subscription: bool) -> TokenCollection:
    return connection.open_service().tokens if of_subscription else connection.open().tokens


@click.group()
def token() -> None:
    """Tokens: what opens a service. A service keeps no token, only what tells the right one."""


@token.command("list")
@click.option("--everybody", is_flag=True, help="Of all users, for owners.")
@click.option("--subscription", "of_subscription", is_flag=True, help="Also those that open all workspaces.")
@json_option
@click.pass_obj
def list_tokens(connection: Connection, everybody: bool, of_subscription: bool, as_json: bool) -> None:
    """List your tokens that open this workspace."""
    records = [each.record for each in _tokens(connection, of_subscription).list(everybody=everybody)]
    if as_json:
        show_json(records)
        return
    rows = [
        [r.name, r.user, r.kind, r.role or "", r.expires_at or "never", r.last_used_at or "", r.id] for r in records
    ]
    show_table(["name", "user", "kind", "at most", "expires", "last used", "id"], rows, empty="no tokens")


@token.command("create")
@click.argument("name")
@click.option("--user", help="Whom it signs in; by default you. For others, you have to be an owner.")
@click.option("--role", type=click.Choice(ROLES), help="The most that may be done with it.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="It expires after so many days.")
@click.option("--subscription", "of_subscription", is_flag=True, help="It opens all workspaces of its user.")
@json_option
@click.pass_obj
def create_token(
    connection: Connection,
    name: str,
    user: str | None,
    role: str | None,
    days: float | None,
    of_subscription: bool,
    as_json: bool,
) -> None:
    """Make a token and print it, once: nobody can read it again."""
    expires_in_s = None if days is None else days * _DAY_S
    made = _tokens(connection, of_subscription).create(name, user=user, role=role, expires_in_s=expires_in_s)
    show_json({"token": made.secret, "record": made.record}) if as_json else click.echo(made.secret)


@token.command("delete")
@click.argument("name", metavar="NAME|ID")
@click.option("--subscription", "of_subscription", is_flag=True, help="One that opens all workspaces.")
@json_option
@click.pass_obj
def delete_token(connection: Connection, name: str, of_subscription: bool, as_json: bool) -> None:
    """Revoke a token at once."""
    tokens = _tokens(connection, of_subscription)
    if not is_id(name):
        tokens.get(name)  # a slip in the name must not pass for a token that is revoked
    tokens.delete(name)
    show_json({"deleted": name}) if as_json else click.echo(f"revoked {name}")
