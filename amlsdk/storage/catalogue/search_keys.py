"""What runs are ordered by, as columns that are never NULL, and what comes after a position in that order.

A key is a rank (the value, or a text that is no number, or missing) and the value. Columns that are never NULL
make `missing last` and `after this run` plain comparisons, the same in every database.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import sqlalchemy as sa

from amlsdk.storage.catalogue.filter_sql import TABLES, Clause, attribute_of, bound
from amlsdk.storage.catalogue.filter_terms import ATTRIBUTES, RUN, Operand, Value
from amlsdk.storage.catalogue.orderings import OrderKey
from amlsdk.storage.catalogue.schema import run

__all__ = ["MISSING", "TEXT", "VALUE", "SortColumn", "blanks_of", "newest_first", "past", "sorted_runs"]

VALUE, TEXT, MISSING = 0, 1, 2


@attrs.frozen
class SortColumn:
    """A column of an order.

    Args:
        expression: Never NULL.
        descending: Largest first.
    """

    expression: sa.ColumnElement[Any]
    descending: bool

    @property
    def ordered(self) -> sa.ColumnElement[Any]:
        """The column for ORDER BY."""
        return self.expression.desc() if self.descending else self.expression.asc()


def newest_first(pk: sa.ColumnElement[int]) -> SortColumn:
    """Return the last column of every order."""
    return SortColumn(pk, descending=True)


def blanks_of(operand: Operand) -> tuple[Value, ...]:
    """Return what the columns of a key hold, its rank aside, where it is missing."""
    if operand.group == "metrics":
        return (0,) if operand.part == "count" else (0.0,)
    if operand.group != RUN:
        return 0.0, ""
    if ATTRIBUTES[operand.name] == "text":
        return ("",)
    return (0.0,) if operand.name == "duration_s" else (0,)


def sorted_runs(keys: Sequence[OrderKey]) -> tuple[sa.FromClause, list[SortColumn]]:
    """Return `run` joined with all that it is to be ordered by, and the columns of that order."""
    table: sa.FromClause = run
    columns: list[SortColumn] = []
    for number, key in enumerate(keys):
        if key.operand.group == RUN:
            values = [attribute_of(key.operand)]
        else:
            entry = TABLES[key.operand.group].alias(f"key{number}")
            table = table.outerjoin(entry, sa.and_(entry.c.run_pk == run.c.pk, entry.c.name == key.operand.name))
            values = [entry.c[key.operand.part]] if key.operand.group == "metrics" else [entry.c.number, entry.c.value]
        columns += _columns(values, key)
    return table, [*columns, newest_first(run.c.pk)]


def past(columns: Sequence[SortColumn], values: Sequence[Value]) -> Clause:
    """Return the condition of coming after a position.

    Args:
        columns: Of the order, the most important first.
        values: Of the position, one a column.
    """
    *upper, (last, last_value) = zip(columns, values, strict=True)
    condition = _beyond(last, last_value)
    for column, value in reversed(upper):
        equal = column.expression == bound(value)
        condition = sa.or_(_beyond(column, value), sa.and_(equal, condition))
    first, limit = columns[0], bound(values[0])
    # Follows from the rest, but only this form lets an index begin at the position.
    return sa.and_(first.expression <= limit if first.descending else first.expression >= limit, condition)


def _columns(values: list[sa.ColumnElement[Any]], key: OrderKey) -> list[SortColumn]:
    ranks = [(value.is_not(None), rank) for value, rank in zip(values, (VALUE, TEXT), strict=False)]
    rank = sa.case(*ranks, else_=MISSING)
    number_or_value, *texts = values
    # A text beside a number must not tell equal numbers (4 and 4.0) apart.
    parts = [number_or_value, *(sa.case((number_or_value.is_(None), text)) for text in texts)]
    filled = [sa.func.coalesce(part, bound(blank)) for part, blank in zip(parts, blanks_of(key.operand), strict=True)]
    return [SortColumn(rank, descending=False), *(SortColumn(part, key.descending) for part in filled)]


def _beyond(column: SortColumn, value: Value) -> Clause:
    expression = column.expression
    return expression < bound(value) if column.descending else expression > bound(value)
