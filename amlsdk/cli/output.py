"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import click
import orjson
from rich.console import Console
from rich.table import Table

__all__ = ["json_option", "show_json", "show_pairs", "show_table", "shown_time"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def show_json(value: Any) -> None:
    """Print records as JSON."""
    click.echo(orjson.dumps(_plain(value), option=orjson.OPT_INDENT_2).decode())


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows; where there is no terminal, no cell is cut."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    count = 0
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
        count += 1
    if count == 0:
        click.echo("nothing")
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)  # a width given to print never exceeds the console's own
    console.print(table, no_wrap=not console.is_terminal)


def show_pairs(pairs: Mapping[str, object]) -> None:
    """Print names and values, a line each."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        click.echo(f"{name:<{width}}  {_text(value)}")


def shown_time(time: dt.datetime | None) -> str:
    """Return a time in the zone of this machine."""
    return "" if time is None else time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _cell(value: object) -> Any:
    from rich.text import Text

    return Text(_text(value))  # what a user named a run is never read as markup


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return shown_time(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


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
