"""What a filter says, as a tree.

Every condition is true or false of a run, never unknown: a comparison with what a run lacks is false, and its
negation is true. Negation stands at leaves only, so the terms that all must hold are found at the top.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

__all__ = [
    "ATTRIBUTES",
    "GROUPS",
    "PARTS",
    "Comparison",
    "Condition",
    "Either",
    "Every",
    "Leaf",
    "Matching",
    "Membership",
    "Negation",
    "Operand",
    "Presence",
    "Value",
    "depth_of",
    "either",
    "every",
    "negated",
    "required",
]

Value = int | float | str

# What can be named without a group, and what it compares as.
ATTRIBUTES = {
    "id": "text",
    "name": "text",
    "number": "number",
    "status": "text",
    "kind": "text",
    "user": "text",
    "target": "text",
    "error": "text",
    "parent_id": "text",
    "created_at": "time",
    "started_at": "time",
    "ended_at": "time",
    "exit_code": "number",
    "duration_s": "number",
}
GROUPS = ("metrics", "params", "tags")
PARTS = ("last", "min", "max", "count")
RUN = "run"


@attrs.frozen
class Operand:
    """What is compared.

    Args:
        group: `metrics`, `params`, `tags`, or `run` for an attribute.
        name: Of the metric, param, tag or attribute.
        part: Of a metric: `last`, `min`, `max` or `count`.
    """

    group: str
    name: str
    part: str = "last"

    @property
    def kind(self) -> str:
        """What it compares as: `number`, `text`, `time`, or `any` where the value decides."""
        if self.group == RUN:
            return ATTRIBUTES[self.name]
        return "number" if self.group == "metrics" else "any"


@attrs.frozen
class Comparison:
    """`operand operator value`; a time is given as microseconds since 1970 UTC."""

    operand: Operand
    operator: str
    value: Value


@attrs.frozen
class Membership:
    """`operand in (values)`, or not in, which what is missing does not satisfy either."""

    operand: Operand
    values: tuple[Value, ...]
    negated: bool


@attrs.frozen
class Matching:
    """`operand like pattern`, or not like, which what is missing does not satisfy either."""

    operand: Operand
    pattern: str
    negated: bool
    ignore_case: bool


@attrs.frozen
class Presence:
    """`operand is not null`, or is null."""

    operand: Operand
    present: bool


Leaf = Comparison | Membership | Matching | Presence


@attrs.frozen
class Negation:
    """A leaf that must not hold."""

    leaf: Leaf


@attrs.frozen
class Every:
    """Conditions that must all hold."""

    items: tuple[Condition, ...]


@attrs.frozen
class Either:
    """Conditions of which one must hold."""

    items: tuple[Condition, ...]


Condition = Leaf | Negation | Every | Either


def every(items: Iterable[Condition]) -> Condition:
    """Join by `and`; what is so joined already is not nested."""
    flat = tuple(_flattened(items, Every))
    return flat[0] if len(flat) == 1 else Every(flat)


def either(items: Iterable[Condition]) -> Condition:
    """Join by `or`; what is so joined already is not nested."""
    flat = tuple(_flattened(items, Either))
    return flat[0] if len(flat) == 1 else Either(flat)


def negated(condition: Condition) -> Condition:
    """Return what holds exactly where the condition does not."""
    if isinstance(condition, Negation):
        return condition.leaf
    if isinstance(condition, Every):
        return either(map(negated, condition.items))
    if isinstance(condition, Either):
        return every(map(negated, condition.items))
    return Negation(condition)


def required(condition: Condition | None) -> tuple[Condition, ...]:
    """Return the conditions that must all hold."""
    if condition is None:
        return ()
    return condition.items if isinstance(condition, Every) else (condition,)


def depth_of(condition: Condition) -> int:
    """Return how many levels of `and` and `or` stand above the deepest leaf."""
    if isinstance(condition, (Every, Either)):
        return 1 + max(map(depth_of, condition.items))
    return 0


def _flattened(items: Iterable[Condition], cls: type[Every] | type[Either]) -> Iterator[Condition]:
    for item in items:
        if isinstance(item, cls):
            yield from item.items
        else:
            yield item
