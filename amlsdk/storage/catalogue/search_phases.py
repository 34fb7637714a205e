"""An order by one key, read from the index that holds it: values, then texts, then runs that have none.

Each phase is a query whose rows an index gives in order, so that a page costs what its length is, not what there is.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import attrs
import sqlalchemy as sa

from amlsdk.storage.catalogue.filter_sql import (
    TABLES,
    Clause,
    attribute_of,
    attribute_test,
    condition_sql,
    entry_test,
    is_nan,
)
from amlsdk.storage.catalogue.filter_terms import (
    RUN,
    Comparison,
    Condition,
    Leaf,
    Matching,
    Membership,
    Presence,
    every,
    required,
)
from amlsdk.storage.catalogue.orderings import OrderKey
from amlsdk.storage.catalogue.schema import run
from amlsdk.storage.catalogue.search_keys import MISSING, TEXT, VALUE, SortColumn, newest_first
from amlsdk.storage.catalogue.search_scope import Scope

__all__ = ["Phase", "is_on", "phases_of"]

_INDEXED = {"name", "status", "started_at"}
_NEVER_MISSING = {"name", "status"}


@attrs.frozen
class Phase:
    """A part of an order.

    Args:
        rank: Of the key in this part.
        table: What is read in order.
        pk: Which run a row is of.
        value: The key; None where all runs of the phase lack it.
        where: Conditions on the rows.
    """

    rank: int
    table: Any
    pk: sa.ColumnElement[int]
    value: SortColumn | None
    where: tuple[Clause, ...]

    @property
    def columns(self) -> list[SortColumn]:
        """The columns of the order within the phase."""
        return [*([] if self.value is None else [self.value]), newest_first(self.pk)]


def phases_of(key: OrderKey, condition: Condition | None, scope: Scope, dialect: str) -> list[Phase] | None:
    """Return the phases of an order in which runs can be, or None where no index holds it.

    Args:
        key: What runs are ordered by.
        condition: What the filter says.
        scope: Whose runs are searched.
        dialect: Name of the kind of database.
    """
    operand = key.operand
    if scope.parent_id is not None or operand.part != "last":
        return None
    if operand.group == RUN and (operand.name not in _INDEXED or scope.experiment_id is None):
        return None
    return _Phases(key, condition, scope, dialect).possible()


@attrs.frozen
class _Phases:
    key: OrderKey
    condition: Condition | None
    scope: Scope
    dialect: str

    def possible(self) -> list[Phase]:
        ranks = {VALUE, TEXT, MISSING}
        for term in required(self.condition):
            ranks &= _ranks(term, self.key)
        if self.key.operand.group == RUN:
            ranks -= {TEXT, MISSING} if self.key.operand.name in _NEVER_MISSING else {TEXT}
        elif self.key.operand.group == "metrics":
            ranks -= {TEXT}
        return [self._phase(rank) for rank in sorted(ranks)]

    def _phase(self, rank: int) -> Phase:
        if rank == MISSING:
            return self._missing()
        return self._attribute() if self.key.operand.group == RUN else self._entry(rank)

    def _attribute(self) -> Phase:
        column = attribute_of(self.key.operand)
        tests = [attribute_test(term, self.dialect) for term in self._same]
        where = (column.is_not(None), *tests, *self._runs(every(self._others) if self._others else None))
        return Phase(VALUE, run, run.c.pk, SortColumn(column, self.key.descending), where)

    def _entry(self, rank: int) -> Phase:
        operand = self.key.operand
        table = TABLES[operand.group].alias("ordered")
        number = table.c.last if operand.group == "metrics" else table.c.number
        column = number if rank == VALUE else table.c.value
        where = [table.c.name == operand.name, number.is_not(None) if rank == VALUE else number.is_(None)]
        if self.scope.experiment_id is not None:
            where.append(table.c.experiment_id == self.scope.experiment_id)
        where += [entry_test(term, table, self.dialect) for term in self._same]
        where += self._run_beside(table)
        return Phase(rank, table, table.c.run_pk, SortColumn(column, self.key.descending), tuple(where))

    def _run_beside(self, table: Any) -> list[Clause]:
        """What the entry's run must satisfy, for which it is looked up."""
        conditions = list(Scope(None, self.scope.project_id, None).unindexed)
        conditions += [condition_sql(term, self.dialect) for term in self._others]
        if not conditions:
            return []
        found: sa.Select[Any] = (
            sa.select(sa.literal_column("1")).select_from(run).where(run.c.pk == table.c.run_pk, *conditions)
        )
        return [found.correlate(table).exists()]

    def _missing(self) -> Phase:
        operand = self.key.operand
        if operand.group == RUN:
            lacking: Clause = attribute_of(operand).is_(None)
        else:
            table = TABLES[operand.group]
            present: sa.Select[Any] = (
                sa.select(sa.literal_column("1")).select_from(table).where(table.c.run_pk == run.c.pk)
            )
            present = present.where(table.c.name == operand.name)
            present = present.where(table.c.last.is_not(None)) if operand.group == "metrics" else present
            lacking = sa.not_(present.correlate(run).exists())
        return Phase(MISSING, run, run.c.pk, None, (lacking, *self._runs(self.condition)))

    def _runs(self, condition: Condition | None) -> tuple[Clause, ...]:
        filtered = () if condition is None else (condition_sql(condition, self.dialect),)
        return (*self.scope.indexed, *self.scope.beside, *filtered)

    @property
    def _same(self) -> list[Leaf]:
        """Terms on the key itself, with which its index begins and ends."""
        return [term for term in required(self.condition) if is_on(term, self.key)]

    @property
    def _others(self) -> list[Condition]:
        return [term for term in required(self.condition) if not is_on(term, self.key)]


def is_on(term: Condition, key: OrderKey) -> TypeGuard[Comparison | Membership | Matching]:
    """Say whether a term bounds the values that a key can have."""
    return isinstance(term, (Comparison, Membership, Matching)) and term.operand == key.operand


def _ranks(term: Condition, key: OrderKey) -> set[int]:
    """Ranks that the key of a run can have for which a term holds."""
    if isinstance(term, Presence) and term.operand == key.operand:
        # A metric that is NaN is there, but comes with those that are missing.
        present = {VALUE, TEXT, MISSING} if key.operand.group == "metrics" else {VALUE, TEXT}
        return present if term.present else {MISSING}
    if not is_on(term, key):
        return {VALUE, TEXT, MISSING}
    if isinstance(term, Comparison) and term.operator == "=" and is_nan(term.value):
        return {MISSING}
    values = term.values if isinstance(term, Membership) else (term.value,) if isinstance(term, Comparison) else ("",)
    nan = {MISSING} if isinstance(term, Membership) and not term.negated and any(map(is_nan, values)) else set()
    return nan | ({VALUE, TEXT} if any(isinstance(value, str) for value in values) else {VALUE})
