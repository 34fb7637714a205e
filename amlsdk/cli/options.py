"""Options that several commands have."""

from __future__ import annotations

import click

__all__ = ["pairs", "secrets_option"]


def pairs(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return the NAME=VALUE texts of an option as a mapping.

    Raises:
        BadParameter: One of them has no `=` or no name.
    """
    found = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator or not name:
            raise click.BadParameter(f"{value!r} is not of the form NAME=VALUE", param=option)
        found[name] = text
    return found


def _secrets(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | list[str]:
    """Return what `submit(secrets=...)` takes: names alone, or with the variable that each is given in."""
    if not any("=" in value for value in values):
        return list(values)
    found = {}
    for value in values:
        variable, separator, name = value.partition("=")
        found[variable if separator else value.replace("-", "_").upper()] = name if separator else value
    return found


secrets_option = click.option(
    "--secret",
    "secrets",
    multiple=True,
    callback=_secrets,
    metavar="NAME|VARIABLE=NAME",
    help="A secret of the workspace, given as an environment variable: db-password as DB_PASSWORD; again for more.",
)
