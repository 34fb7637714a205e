"""Small views of values for `repr` and notebooks: tables as text and HTML, series as a line."""

from __future__ import annotations

import datetime as dt
import html
import unicodedata
from collections.abc import Sequence
from typing import Any

from amlsdk.resources.values.sparklines import Sparkline, sparkline_svg

__all__ = ["Sparkline", "cell_text", "sparkline_svg", "table_html", "table_text"]

_GAP = "  "
_LEAST_WIDTH = 3


def cell_text(value: Any) -> str:
    """Return a value as one line of text: numbers to 6 digits, times to the second, None as nothing."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return "".join(char if char.isprintable() else " " for char in str(value))


def table_text(columns: Sequence[str], rows: Sequence[Sequence[Any]], max_width: int = 100) -> str:
    """Return a table as text: a line of names, a rule, a line a row; numbers stand right.

    Args:
        columns: Names.
        rows: A value for each column.
        max_width: In characters; the widest columns are cut first, then the last ones left out, named by their count.
    """
    cells = [[cell_text(value) for value in row] for row in rows]
    natural = [max([_width(name), *(_width(row[place]) for row in cells)]) for place, name in enumerate(columns)]
    widths = _fitted(natural, max_width)
    right = [_is_numeric(rows, place) for place in range(len(columns))]
    shown = [list(columns), ["-" * width for width in widths], *cells]
    lines = [
        _GAP.join(_padded(row[place], width, right=right[place]) for place, width in enumerate(widths)).rstrip()
        for row in shown
    ]
    left_out = len(columns) - len(widths)
    return "\n".join([*lines, f"... {left_out} more columns"] if left_out else lines)


def _is_numeric(rows: Sequence[Sequence[Any]], place: int) -> bool:
    values = [row[place] for row in rows if row[place] is not None]
    return bool(values) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _fitted(natural: Sequence[int], max_width: int) -> list[int]:
    widths = list(natural)
    while widths and sum(widths) + len(_GAP) * (len(widths) - 1) > max_width:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] > max(_LEAST_WIDTH, max_width // len(widths) // 2):
            widths[widest] -= 1
        elif len(widths) > 1:
            widths.pop()
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
    """Return a table as HTML, escaped; a value with `_repr_html_` (as a `Sparkline`) is shown by it."""
    head = "".join(f'<th scope="col" style="text-align:left">{html.escape(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell_html, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell_html(value: Any) -> str:
    render = getattr(value, "_repr_html_", None)
    if callable(render):
        return f"<td>{render()}</td>"
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    align = "right" if numeric else "left"
    return f'<td style="text-align:{align}">{html.escape(cell_text(value))}</td>'
