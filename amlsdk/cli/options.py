"""Options that several commands have."""

from __future__ import annotations

import click

__all__ = ["pairs"]


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
