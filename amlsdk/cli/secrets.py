"""`aml secret`: named texts that runs and deployments are given."""

from __future__ import annotations

import sys
from typing import TextIO

import click

from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_table
from amlsdk.errors import InvalidArgument, NotFound

__all__ = ["secret"]


@click.group()
def secret() -> None:
    """Secrets of the workspace: given to runs and deployments by name, as environment variables."""


@secret.command("set")
@click.argument("name")
@click.option(
    "--value-file",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="Read the value from a file as it is, or from standard input where FILE is -.",
)
@click.pass_obj
def set_secret(connection: Connection, name: str, value_file: TextIO | None) -> None:
    """Keep a secret, over what was kept under NAME.

    The value is asked for where a terminal is, else read from standard input, without the line feed at its end. It is
    no argument of this command: those show in the list of processes and in the history of the shell.
    """
    workspace = connection.open(create=True)
    value = _asked(name) if value_file is None else _read(value_file, name)
    record = workspace.secrets.set(name, value)
    click.echo(f"set {record.name}")


@secret.command("get")
@click.argument("name")
@json_option
@click.pass_obj
def get_secret(connection: Connection, name: str, as_json: bool) -> None:
    """Print the value of a secret, as it is."""
    value = connection.open().secrets.get(name)
    if as_json:
        show_json({"name": name, "value": value})
    else:
        click.echo(value)


@secret.command("list")
@json_option
@click.pass_obj
def list_secrets(connection: Connection, as_json: bool) -> None:
    """List the names of secrets, not their values."""
    records = connection.open().secrets.list()
    if as_json:
        show_json(records)
        return
    rows = [(record.name, record.updated_at, record.user) for record in records]
    show_table(["name", "set", "by"], rows, empty="no secrets", whole=("name",))


@secret.command("delete")
@click.argument("name")
@click.pass_obj
def delete_secret(connection: Connection, name: str) -> None:
    """Delete a secret."""
    secrets = connection.open().secrets
    if name not in secrets:  # a slip in the name must not pass for a secret that is deleted
        raise NotFound(f"there is no secret {name!r}; `aml secret list` shows which there are")
    secrets.delete(name)
    click.echo(f"deleted {name}")


def _asked(name: str) -> str:
    if sys.stdin.isatty():
        asked: str = click.prompt(f"value of {name}", hide_input=True, confirmation_prompt=True, err=True)
        return asked
    return _read(sys.stdin, name).removesuffix("\n")


def _read(stream: TextIO, name: str) -> str:
    try:
        return stream.read()
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"the value of the secret {name!r} is not UTF-8; put it into base64, say") from error
