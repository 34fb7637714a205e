"""A plain Python model of the search of runs: what filters and orders mean, without SQL and without the parser."""

from __future__ import annotations

import functools
import math
import random
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from amlsdk.storage.catalogue import schema
from amlsdk.storage.catalogue.summaries import refresh

ATTRIBUTES = {
    "text": ("id", "name", "status", "kind", "user", "target", "error", "parent_id"),
    "number": ("number", "exit_code", "duration_s"),
    "time": ("created_at", "started_at", "ended_at"),
}
DAY_US = 86_400_000_000
FIRST_US = 1_767_225_600_000_000  # 2026-01-01 UTC
NUMBERS = (-math.inf, -1.5, 0.0, 0.25, 1.0, 1.0, 3.0, 1e300, math.inf)
TEXTS = ("a", "B", "b", "4", "4.0", "1e3", "a%b", "a_b", "it's", 'a "quote"', "", "ä", "*", "[x]", "back\\slash", "nan")
METRICS = ("loss", "val loss", "a.b-c/d", "and")
TEXT_NAMES = ("depth", "odd `name`")


@attrs.frozen(kw_only=True)
class ModelRun:
    """A run of the model: attributes, metrics as (count, last, min, max), params, tags."""

    pk: int
    attributes: Mapping[str, Any]
    metrics: Mapping[str, tuple[int, float, float, float]]
    params: Mapping[str, str]
    tags: Mapping[str, str]


def random_runs(seed: int, count: int) -> list[ModelRun]:
    """Return runs with few different values, so that many are equal, missing or NaN."""
    chance = random.Random(seed)
    return [_random_run(chance, pk) for pk in range(1, count + 1)]


def value_of(run: ModelRun, operand: str) -> Any:
    """Return what a run has under the name that a filter would use; None where it has nothing."""
    part, group, name = re.fullmatch(r"(?:(\w+)\()?(?:(metrics|params|tags)\.)?(.*?)\)?", operand, re.DOTALL).groups()
    name = name[1:-1].replace("``", "`") if name.startswith("`") else name
    if group == "metrics":
        summary = run.metrics.get(name)
        return None if summary is None else summary[("count", "last", "min", "max").index(part or "last")]
    return run.attributes[name] if group is None else getattr(run, group).get(name)


def compare(value: Any, operator: str, given: Any) -> bool:
    """Say whether a value satisfies a comparison; what is missing or of another kind satisfies none."""
    if isinstance(given, (int, float)) and isinstance(value, str):
        value = _finite(value)
    if value is None:
        return False
    if isinstance(value, float) and math.isnan(value):
        return operator == "=" and isinstance(given, float) and math.isnan(given)
    return _OPERATORS[operator](value, given)


def matches(value: str | None, pattern: str, *, ignore_case: bool) -> bool:
    """Say whether a text is like a pattern."""
    if value is None:
        return False
    if ignore_case:
        value, pattern = _ascii_lower(value), _ascii_lower(pattern)
    return _expression(pattern).fullmatch(value) is not None


def ordered(runs: Iterable[ModelRun], keys: Iterable[tuple[str, bool]]) -> list[ModelRun]:
    """Return runs in the order of some (operand, descending), the least important key sorted by first."""
    runs = sorted(runs, key=lambda run: -run.pk)
    for operand, descending in reversed(list(keys)):
        parts: tuple[list[ModelRun], list[ModelRun], list[ModelRun]] = ([], [], [])
        for run in runs:
            parts[_rank(value_of(run, operand), operand)].append(run)
        for part in parts[:2]:
            # Python keeps the order of equal items, also when it reverses.
            part.sort(key=functools.partial(_sort_key, operand=operand), reverse=descending)
        runs = [run for part in parts for run in part]
    return runs


def write_runs(connection: Connection, runs: Iterable[ModelRun], experiment_id: str = "e1") -> None:
    """Write runs of the model into a catalogue that has the experiment."""
    for run in runs:
        fixed = {"project_id": experiment_id.replace("e", "p"), "experiment_id": experiment_id}
        fields = {name: value for name, value in run.attributes.items() if name != "duration_s"}
        connection.execute(sa.insert(schema.run).values(pk=run.pk, cancel_requested=False, **fixed, **fields))
        same = {"run_pk": run.pk, "experiment_id": experiment_id}
        for name, (count, *values) in run.metrics.items():
            last, low, high = (None if math.isnan(value) else value for value in values)
            place = {"last_step": 0, "last_time": 0, "last_writer": "w", "last_offset": 0}
            row = {"name": name, "count": count, "last": last, "min": low, "max": high, **place, **same}
            connection.execute(sa.insert(schema.metric).values(row))
        for table, texts in ((schema.param, run.params), (schema.tag, run.tags)):
            for name, value in texts.items():
                row = {"name": name, "value": value, "number": _finite(value), "time": 0, **same}
                connection.execute(sa.insert(table).values(row))
        refresh(connection, run.pk)


def write_scopes(connection: Connection, *numbers: int) -> None:
    """Make projects p1, p2, ... each with its experiment e1, e2, ..."""
    for number in numbers:
        same = {"description": "", "created_at": 0}
        row = {"id": f"p{number}", "name": f"p{number}", "last_run_number": 0, **same}
        connection.execute(sa.insert(schema.project).values(row))
        row = {"id": f"e{number}", "project_id": f"p{number}", "name": "e", **same}
        connection.execute(sa.insert(schema.experiment).values(row))


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda value, given: value == given,
    "!=": lambda value, given: value != given,
    "<": lambda value, given: value < given,
    "<=": lambda value, given: value <= given,
    ">": lambda value, given: value > given,
    ">=": lambda value, given: value >= given,
}


def _random_run(chance: random.Random, pk: int) -> ModelRun:
    def maybe(values: Iterable[Any]) -> Any:
        return None if chance.random() < 0.3 else chance.choice(list(values))

    started = maybe(range(FIRST_US, FIRST_US + 4 * DAY_US, DAY_US // 2))
    ended = None if started is None else maybe((started, started + 1_500_000, started + 10_000_000))
    attributes = {
        "id": f"id{pk}",
        "name": chance.choice(TEXTS),
        "number": pk % 5,
        "status": chance.choice(("Completed", "Failed", "Running")),
        "kind": chance.choice(("interactive", "submitted")),
        "user": chance.choice(("ann", "bob")),
        "target": maybe(("local", "docker")),
        "error": maybe(("it broke", "it's odd")),
        "parent_id": maybe(("id1", "id2")),
        "created_at": FIRST_US + pk // 3 * DAY_US,
        "started_at": started,
        "ended_at": ended,
        "exit_code": maybe((0, 1, 137)),
        "duration_s": None if ended is None else (ended - started) / 1e6,
    }
    metrics = {name: _summary(chance) for name in METRICS if chance.random() < 0.7}
    texts = [{name: chance.choice(TEXTS) for name in TEXT_NAMES if chance.random() < 0.7} for _ in range(2)]
    return ModelRun(pk=pk, attributes=attributes, metrics=metrics, params=texts[0], tags=texts[1])


def _summary(chance: random.Random) -> tuple[int, float, float, float]:
    values = (*NUMBERS, math.nan, math.nan)
    return chance.choice((1, 2, 100)), chance.choice(values), chance.choice(values), chance.choice(values)


def _finite(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _rank(value: Any, operand: str) -> int:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return 2
    return 1 if operand.startswith(("params.", "tags.")) and _finite(value) is None else 0


def _sort_key(run: ModelRun, operand: str) -> Any:
    value = value_of(run, operand)
    number = _finite(value) if operand.startswith(("params.", "tags.")) else None
    return value if number is None else number


def _ascii_lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)


@functools.cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.findall(r"\\[%_\\]|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return re.compile("".join(wild.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL)
