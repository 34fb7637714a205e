"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import datetime as dt
import math
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import click
import orjson

from amlsdk.resources.values.text_views import cell_text, table_text

__all__ = ["json_option", "show_json", "show_pairs", "show_table", "shown_time"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

_UNLIMITED = 1_000_000


def show_json(value: Any) -> None:
    """Print records as JSON."""
    click.echo(orjson.dumps(_plain(value), option=orjson.OPT_INDENT_2).decode())


def show_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    empty: str = "nothing",
    whole: Sequence[str] = ("id",),
) -> None:
    """Print rows; a terminal's width is kept to, and where there is no terminal, no cell is cut.

    Args:
        columns: Their names.
        rows: A value for each.
        empty: What is printed where there are none.
        whole: Columns that are never cut, since they are copied into the next command.
    """
    shown = [[shown_time(value) if isinstance(value, dt.datetime) else value for value in row] for row in rows]
    if not shown:
        click.echo(empty)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _UNLIMITED
    click.echo(table_text(columns, shown, width, whole=whole))


def show_pairs(pairs: Mapping[str, object]) -> None:
    """Print names and values, a line each; further lines of a value stand below it."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        first, *others = _lines(value)
        click.echo(f"{name:<{width}}  {first}".rstrip())
        for line in others:
            click.echo(f"{'':<{width}}  {line}".rstrip())


def shown_time(time: dt.datetime | None) -> str:
    """Return a time in the zone of this machine."""
    return "" if time is None else time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _lines(value: object) -> list[str]:
    if isinstance(value, dt.datetime):
        return [shown_time(value)]
    if isinstance(value, str):
        # What a script wrote into an error must not steer the terminal.
        return [cell_text(line) for line in value.splitlines()] or [""]
    return [cell_text(value)]


def _plain(value: Any) -> Any:
    if attrs.has(type(value)):
        return {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
