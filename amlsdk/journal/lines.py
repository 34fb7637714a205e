"""Many lines of a journal at once: points by metric as columns, all else in order, bad lines by name."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate
from operator import add, itemgetter
from typing import Any, NamedTuple
from zlib import crc32

import attrs
import orjson

from amlsdk.journal.entries import Entry, is_key, read_line
from amlsdk.journal.text import MAX_LINE, VERSION

__all__ = ["Batch", "Points", "parse_batch"]

# Some thousand lines: enough that the work per piece does not count, and their objects still fit into a cache.
_PIECE = 1 << 17
_KIND_AND_VERSION = itemgetter("k", "v")
_NAME, _VALUE, _STEP, _TIME, _SUM = map(itemgetter, "nxstc")
_METRIC = {("metric", VERSION)}
_METRIC_SIZE = {len("vknxstc")}


class Points(NamedTuple):
    """Points of a metric in the order of their lines, as columns of equal length (n,)."""

    steps: array[int]
    times_us: array[int]
    values: array[float]
    offsets: array[int]


@attrs.define
class Batch:
    """What some bytes of a journal say.

    Args:
        series: Points by metric.
        others: All that are no points, in order.
        bad: Where lines that can't be used begin, and why.
        used: How many bytes were consumed: up to and with the last newline.
        ended: Whether the journal's last line was among them.
    """

    series: dict[str, Points] = attrs.field(factory=dict)
    others: list[Entry] = attrs.field(factory=list)
    bad: list[tuple[int, str]] = attrs.field(factory=list)
    used: int = 0
    ended: bool = False


def parse_batch(data: bytes, *, first_offset: int) -> Batch:
    """Read whole lines; bytes after the last newline are left for the next time.

    Only where these are more than a line may have, they are consumed as a bad line, so that nothing waits for ever.

    Args:
        data: Bytes of a journal from the beginning of a line on.
        first_offset: Where they begin in the journal.
    """
    batch = Batch(used=data.rfind(b"\n") + 1)
    for start, end in _pieces(data, batch.used):
        piece, offset = data[start : end - 1], first_offset + start
        if not _add_points(batch, piece, offset):
            _add_lines(batch, piece, offset)
    if len(data) - batch.used >= MAX_LINE:
        batch.bad.append((first_offset + batch.used, "longer than 1 MiB"))
        batch.used = len(data)
    return batch


def _pieces(data: bytes, end: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < end:
        stop = data.rfind(b"\n", start, start + _PIECE) + 1 or data.index(b"\n", start) + 1
        yield start, stop
        start = stop


def _add_points(batch: Batch, piece: bytes, offset: int) -> bool:
    """Take a piece that holds nothing but sound points, faster than line by line; False where it may not be so."""
    lines = piece.split(b"\n")
    try:
        rows = _rows(piece, lines)
        found = _columns(rows, _offsets(lines, offset)) if rows else None
    except (orjson.JSONDecodeError, KeyError, TypeError, OverflowError):
        return False
    if found is None or not all(is_key(name) for name in found.keys() - batch.series.keys()):
        return False
    for name, points in found.items():
        known = _points(batch, name)
        known.steps.extend(points.steps)
        known.times_us.extend(points.times_us)
        known.values.extend(points.values)
        known.offsets.extend(points.offsets)
    return True


def _rows(piece: bytes, lines: list[bytes]) -> list[dict[str, Any]] | None:
    # One call of the JSON parser reads all lines as an array. That no two of them are taken for one, nor one for two,
    # is sure: texts can't hold the newline, and all objects are flat, so each line is as many objects as the next.
    if piece.count(b"}\n{") != len(lines) - 1 or len(piece) >= MAX_LINE or b"\0" in piece:
        return None
    rows: list[dict[str, Any]] = orjson.loads(b"[%b]" % piece.replace(b"}\n{", b"},\n{"))
    if len(rows) != len(lines) or {*map(len, rows)} != _METRIC_SIZE or {*map(_KIND_AND_VERSION, rows)} != _METRIC:
        return None
    # The same as `checksum`, in place: calling it would cost a tenth of the whole.
    sums = [crc32(line[: line.rfind(b',"c":')]) for line in lines]
    return rows if sums == [*map(_SUM, rows)] else None


def _offsets(lines: list[bytes], offset: int) -> list[int]:
    # The newlines before a line are as many as its number.
    return [*map(add, accumulate(map(len, lines), initial=offset), range(len(lines)))]


def _columns(rows: list[dict[str, Any]], offsets: list[int]) -> dict[str, Points] | None:
    names, steps, times, values = ([*map(get, rows)] for get in (_NAME, _STEP, _TIME, _VALUE))
    if {*map(type, steps), *map(type, times)} != {int} or {*map(type, values)} != {float}:
        return None
    if names.count(names[0]) == len(names):
        return {names[0]: _as_points(steps, times, values, offsets)}
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        places[name].append(place)
    columns = (steps, times, values, offsets)
    return {
        name: _as_points(*([column[place] for place in chosen] for column in columns))
        for name, chosen in places.items()
    }


def _as_points(steps: list[int], times: list[int], values: list[float], offsets: list[int]) -> Points:
    return Points(array("q", steps), array("q", times), array("d", values), array("q", offsets))


def _points(batch: Batch, name: str) -> Points:
    points = batch.series.get(name)
    if points is None:
        points = batch.series[name] = Points(array("q"), array("q"), array("d"), array("q"))
    return points


def _add_lines(batch: Batch, piece: bytes, offset: int) -> None:
    for line in piece.split(b"\n"):
        if line:
            _add_line(batch, line, offset)
        offset += len(line) + 1


def _add_line(batch: Batch, line: bytes, offset: int) -> None:
    members = read_line(line)
    if isinstance(members, str):
        batch.bad.append((offset, members))
        return
    kind, time_us = members["k"], members["t"]
    if kind == "metric":
        known = _points(batch, members["n"])
        known.steps.append(members["s"])
        known.times_us.append(time_us)
        known.values.append(float(members["x"]))
        known.offsets.append(offset)
        return
    data = {name: item for name, item in members.items() if name not in ("v", "k", "t", "c")}
    batch.others.append(Entry(kind, offset, data, time_us))
    batch.ended = batch.ended or kind == "end"
