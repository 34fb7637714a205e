"""Small views of values for `repr` and notebooks: tables as text and HTML, series as a line."""

from __future__ import annotations

import datetime as dt
import html
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

from amlsdk.resources.values.sparklines import Sparkline, sparkline_svg

__all__ = ["Sparkline", "cell_text", "sparkline_svg", "table_html", "table_text"]

_GAP = "  "
_LEAST_WIDTH = 3
_READABLE_WIDTH = 10
_LONGEST_CELL = 40
_CELL_STYLE = "padding:2px 16px 2px 0;vertical-align:top;white-space:nowrap"


def cell_text(value: Any) -> str:
    """Return a value as one line of text: numbers to 6 digits, times to the second, None as nothing."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return "".join(char if char.isprintable() else " " for char in str(value))


def table_text(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], max_width: int = 100, *, whole: Collection[str] = ()
) -> str:
    """Return a table as text: a line of names, a rule, a line a row; numbers stand right.

    Args:
        columns: Names.
        rows: A value for each column.
        max_width: In characters; the widest columns are cut first, then the last ones left out, named by their count.
        whole: Columns that are never cut or left out, however narrow the table has to be.
    """
    cells = [[cell_text(value) for value in row] for row in rows]
    natural = [max([_width(name), *(_width(row[place]) for row in cells)]) for place, name in enumerate(columns)]
    kept = {place for place, name in enumerate(columns) if name in whole}
    widths = _fitted(natural, max_width, kept)
    right = [_is_numeric(rows, place) for place in range(len(columns))]
    head, *body = (
        _GAP.join(_padded(row[place], width, right=right[place]) for place, width in widths.items()).rstrip()
        for row in [list(columns), *cells]
    )
    lines = [head, _GAP.join("-" * width for width in widths.values()), *body]
    left_out = len(columns) - len(widths)
    return "\n".join([*lines, f"... {left_out} more columns"] if left_out else lines)


def _is_numeric(rows: Sequence[Sequence[Any]], place: int) -> bool:
    values = [row[place] for row in rows if row[place] is not None]
    return bool(values) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _fitted(natural: Sequence[int], max_width: int, kept: set[int]) -> dict[int, int]:
    """Widths by place of the columns that fit."""
    widths = dict(enumerate(natural))
    while sum(widths.values()) + len(_GAP) * (len(widths) - 1) > max_width:
        free = [place for place in widths if place not in kept]
        if not free:
            break
        widest = max(free, key=widths.__getitem__)
        # A column cut to a few letters says less than the count of those left out.
        least = _READABLE_WIDTH if len(widths) > 1 else _LEAST_WIDTH
        if widths[widest] > max(least, max_width // len(widths) // 2):
            widths[widest] -= 1
        elif len(widths) > 1:
            del widths[free[-1]]
        else:
            break
    return widths


def _width(text: str) -> int:
    # Characters of East Asian scripts and most emoji take two cells of a terminal, combining marks none.
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _padded(text: str, width: int, *, right: bool) -> str:
    if _width(text) > width:
        kept = ""
        for char in text:
            if _width(kept + char) > width - 1:
                break
            kept += char
        text = kept + "…"
    space = " " * (width - _width(text))
    return space + text if right else text + space


def table_html(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table as HTML, escaped; a value with `_repr_html_` (as a `Sparkline`) is shown by it.

    Colours and fonts are those of the page, so that it reads in light and dark themes alike. Long texts are cut; the
    whole of them is in the cell's title.
    """
    sides = ["right" if _is_numeric(rows, place) else "left" for place in range(len(columns))]
    head = "".join(map(_head_html, columns, sides))
    body = "".join(f"<tr>{''.join(map(_cell_html, row, sides))}</tr>" for row in rows)
    return (
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:0">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _head_html(name: str, side: str) -> str:
    rule = "border-bottom:1px solid currentColor"
    return f'<th scope="col" style="text-align:{side};{_CELL_STYLE};{rule}">{html.escape(name)}</th>'


def _cell_html(value: Any, side: str) -> str:
    style = f"text-align:{side};{_CELL_STYLE}"
    render = getattr(value, "_repr_html_", None)
    if callable(render):
        return f'<td style="{style}">{render()}</td>'
    text = cell_text(value)
    if len(text) <= _LONGEST_CELL:
        return f'<td style="{style}">{html.escape(text)}</td>'
    cut = html.escape(text[: _LONGEST_CELL - 1])
    return f'<td style="{style}" title="{html.escape(text)}">{cut}…</td>'
