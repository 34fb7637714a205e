"""`aml login`, `aml logout` and `aml whoami`."""

from __future__ import annotations

import os
import sys
from typing import Any
from urllib.parse import quote

import click

from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_pairs
from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.logins import Logins
from amlsdk.operations.tenancy import GetCaller
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.records.tenancy import CallerRecord
from amlsdk.resources.client import Address, Client
from amlsdk.resources.config import Config
from amlsdk.resources.connecting import find_location
from amlsdk.urls import normal

__all__ = ["login", "logout", "whoami"]

_PATIENCE = Config(retry_s=5.0)
_of_workspace = click.option("--workspace", metavar="NAME", help="Only for this workspace of the service.")


@click.command()
@click.argument("url")
@click.option("--token", metavar="-|TEXT", help="The token; - reads it from standard input. Default: you are asked.")
@_of_workspace
@json_option
def login(url: str, token: str | None, workspace: str | None, as_json: bool) -> None:
    """Keep a token for a service on this machine, once the service has accepted it.

    Where the service lets people sign in by a browser, one is opened, and the token is made on the way.

    It is found by `amlsdk.connect(URL)` and by all commands, where neither a token is given nor AMLSDK_TOKEN is set.
    It is kept in the system's keyring, or in a file that only you can read.
    """
    place = _place(url, workspace)
    given = _given(token) if token is not None else _asked(url)
    caller = _check(place, given, workspace)
    where = Logins().keep(place, given)
    if as_json:
        show_json({"url": place, "user": caller.user, "kept_in": where})
    else:
        click.echo(f"signed in to {place} as {caller.user}; the token is in {where}")
        if find_location() != place:
            click.echo(f"commands and programs use it by `export AMLSDK_WORKSPACE={place}`")


@click.command()
@click.argument("url")
@_of_workspace
def logout(url: str, workspace: str | None) -> None:
    """Forget the token that `aml login` kept for a service. `aml token delete` also makes it open nothing any more."""
    place = _place(url, workspace)
    if not Logins().forget(place):
        raise NotFound(f"no token is kept for {place}")
    click.echo(f"the token for {place} is forgotten")


@click.command()
@json_option
@click.pass_obj
def whoami(connection: Connection, as_json: bool) -> None:
    """Show who you are to the workspace's service, and what let you in."""
    client = connection.open_client()
    if not client.spool.shipped:
        raise InvalidArgument(f"{client.location} is a folder of your own; nobody signs in to it")
    facts = _facts(client)
    show_json(facts) if as_json else show_pairs(facts)


def _facts(client: Client) -> dict[str, Any]:
    caller = client.send(GetCaller())
    facts: dict[str, Any] = {"user": caller.user, "service": client.location, "signed in by": _way_in(client.location)}
    if caller.token is not None:
        facts["token"] = caller.token.name
        facts["expires"] = caller.token.expires_at or "never"
        facts["role at most"] = caller.token.role or "that of the user"
    return facts


def _way_in(location: str) -> str:
    if os.environ.get("AMLSDK_TOKEN"):
        return "AMLSDK_TOKEN"
    return f"aml login {Logins().place_of(location)}"


def _place(url: str, workspace: str | None) -> str:
    place = normal(url)
    return place if workspace is None else f"{place}/w/{quote(workspace, safe='')}"


def _given(token: str) -> str:
    return sys.stdin.readline().strip() if token == "-" else token  # noqa: S105  # the sign for standard input


def _asked(url: str) -> str:
    # Only now: no other command needs what speaks with browsers.
    from amlsdk.cli.login_openid import has_openid, sign_in

    if has_openid(url):
        return sign_in(url)
    if not sys.stdin.isatty():
        raise InvalidArgument(f"nobody can be asked for the token here; give it: aml login {url} --token - < FILE")
    return str(click.prompt(f"Token for {normal(url)}", hide_input=True, err=True)).strip()


def _check(place: str, token: str, workspace: str | None) -> CallerRecord:
    client = Client(Address(location=place, token=token), _PATIENCE)
    try:
        caller = client.send(GetCaller())
        if workspace is not None:
            client.send(GetWorkspace())
    finally:
        client.close()
    return caller
