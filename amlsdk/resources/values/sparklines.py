"""A series as a small line."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator, Sequence

import attrs

__all__ = ["Sparkline", "sparkline_svg"]

_MOST_POINTS = 200
_MARGIN = 2.0
# From this height on there is room for two texts, which are beside the line.
_LEAST_LABELLED = 64
_LABEL_WIDTH = 88


@attrs.frozen
class Sparkline:
    """A series that a notebook shows as a line, and a terminal by its last value.

    Args:
        steps: Of the points, in order.
        values: At them.
    """

    steps: Sequence[float]
    values: Sequence[float]

    def __str__(self) -> str:
        return f"{self.values[-1]:.6g}" if len(self.values) else ""

    def _repr_html_(self) -> str:
        return sparkline_svg(self.steps, self.values)


def sparkline_svg(
    steps: Sequence[float], values: Sequence[float], *, width: int = 160, height: int = 32, title: str = ""
) -> str:
    """Return a series as an inline SVG line of at most 200 points; each shown stretch keeps its extremes.

    Values that are not finite break the line. From a height of 64 on, the largest and the smallest value stand beside
    it. The title is read out by screen readers; by default it gives count, last
    value and range.
    """
    points = _thinned([*zip(map(float, steps), map(float, values), strict=True)])
    finite = [value for _, value in points if math.isfinite(value)]
    text = html.escape(title or _described(values, finite))
    labelled = bool(finite) and height >= _LEAST_LABELLED and width > 2 * _LABEL_WIDTH
    path = " ".join(_segments(points, finite, width - _LABEL_WIDTH if labelled else width, height))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" aria-label="{text}"><title>{text}</title>'
        f'<path d="{path}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" '
        f'stroke-linejoin="round"/>{_labels(finite, width, height) if labelled else ""}</svg>'
    )


def _labels(finite: Sequence[float], width: int, height: int) -> str:
    style = f'x="{width - _LABEL_WIDTH + 6}" font-size="11" font-family="sans-serif" fill="currentColor"'
    high, low = f"{max(finite):.6g}", f"{min(finite):.6g}"
    return f'<text {style} y="12">{high}</text><text {style} y="{height - 4}">{low}</text>'


def _described(values: Sequence[float], finite: Sequence[float]) -> str:
    if not finite:
        return f"{len(values)} points, none finite" if len(values) else "no points"
    return f"{len(values)} points, last {float(values[-1]):.6g}, from {min(finite):.6g} to {max(finite):.6g}"


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most 200 points: of each of 50 stretches the first, the last, the lowest and the highest."""
    if len(points) <= _MOST_POINTS:
        return points
    stretches = _MOST_POINTS // 4
    kept: list[tuple[float, float]] = []
    for number in range(stretches):
        start, stop = number * len(points) // stretches, (number + 1) * len(points) // stretches
        kept += [points[place] for place in sorted(_telling(points, start, stop))]
    return kept


def _telling(points: list[tuple[float, float]], start: int, stop: int) -> set[int]:
    finite = [place for place in range(start, stop) if math.isfinite(points[place][1])]
    if not finite:
        return {start}
    low = min(finite, key=lambda place: points[place][1])
    high = max(finite, key=lambda place: points[place][1])
    # A break must stay one: where the stretch has any, its first takes the place of its first point.
    broken = next((place for place in range(start, stop) if not math.isfinite(points[place][1])), start)
    return {broken, low, high, stop - 1}


def _segments(points: list[tuple[float, float]], finite: Sequence[float], width: int, height: int) -> Iterator[str]:
    if not finite:
        return
    across = _scale([step for step, _ in points], _MARGIN, width - _MARGIN)
    up = _scale(finite, height - _MARGIN, _MARGIN)
    drawing = False
    for place, (step, value) in enumerate(points):
        if not math.isfinite(value):
            drawing = False
            continue
        yield f"{'L' if drawing else 'M'}{across(step)} {up(value)}"
        following = points[place + 1][1] if place + 1 < len(points) else math.nan
        if not drawing and not math.isfinite(following):
            yield "h0"  # a point alone, which the round cap of the line makes a dot
        drawing = True


def _scale(values: Sequence[float], start: float, stop: float) -> Callable[[float], str]:
    """A mapping of the range of values to pixels; a range of one value goes to the middle."""
    low, high = min(values), max(values)
    # Halves, since the span of the largest floats is infinite.
    span = high / 2 - low / 2

    def place(value: float) -> str:
        share = (value / 2 - low / 2) / span if span else 0.5
        return f"{start + share * (stop - start):.1f}"

    return place
