"""A filter as a condition on rows of the table `run`; every value in it is a bound parameter.

The whole condition is such that a database can't use an index for it: which index serves a search is decided in
`search_drivers`, since a catalogue keeps no statistics that a planner could decide by.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from amlsdk.storage.catalogue.filter_patterns import glob_of, like_of
from amlsdk.storage.catalogue.filter_terms import (
    RUN,
    Comparison,
    Condition,
    Either,
    Every,
    Leaf,
    Matching,
    Membership,
    Negation,
    Operand,
    Presence,
    Value,
    depth_of,
)
from amlsdk.storage.catalogue.schema import metric, param, run, tag

__all__ = [
    "TABLES",
    "Clause",
    "attribute_of",
    "attribute_test",
    "bound",
    "condition_sql",
    "entry_test",
    "is_nan",
    "opaque",
]

Clause = sa.ColumnElement[bool]
TABLES = {"metrics": metric, "params": param, "tags": tag}

_COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# SQLite takes an expression of at most 1000 levels, and each condition in a row is one.
_IN_A_ROW = 100
_SECOND_US = 1e6


def condition_sql(condition: Condition, dialect: str) -> Clause:
    """Return a condition on `run` that is true or false, never NULL.

    Args:
        condition: What a filter says.
        dialect: Name of the kind of database.
    """
    if isinstance(condition, Negation):
        return sa.not_(_leaf(condition.leaf, dialect))
    if isinstance(condition, (Every, Either)):
        # SQLite's parser holds at most 100 things open, fewest while the deepest part comes first.
        ordered = sorted(condition.items, key=depth_of, reverse=True)
        clauses = [condition_sql(item, dialect) for item in ordered]
        return _joined(clauses, sa.and_ if isinstance(condition, Every) else sa.or_)
    return _leaf(condition, dialect)


def attribute_of(operand: Operand) -> sa.ColumnElement[Any]:
    """Return an attribute of a run as a column of `run` or an expression of some."""
    if operand.name == "duration_s":
        return sa.cast(run.c.ended_at - run.c.started_at, sa.Float(53)) / sa.literal(_SECOND_US, sa.Float(53))
    return run.c[operand.name]


def attribute_test(leaf: Leaf, dialect: str) -> Clause:
    """Return a leaf on an attribute as a condition on `run` that an index may serve; NULL means false."""
    column = attribute_of(leaf.operand)
    if isinstance(leaf, Presence):
        return column.is_not(None) if leaf.present else column.is_(None)
    return _test(leaf, column, column, dialect)


def entry_test(leaf: Leaf, table: Any, dialect: str) -> Clause:
    """Return a leaf as a condition on an entry of a run in `metric`, `param` or `tag`, or in an alias of it.

    An index may serve it; NULL means false. That there is an entry is what presence asks for.
    """
    if isinstance(leaf, Presence):
        return sa.true()
    if leaf.operand.group == "metrics":
        return _test(leaf, table.c[leaf.operand.part], table.c[leaf.operand.part], dialect)
    return _test(leaf, table.c.number, table.c.value, dialect)


def bound(value: Value) -> sa.BindParameter[Any]:
    """Return a value as a parameter of its own type, whatever the type of the column beside it."""
    return sa.literal(value, _type_of(value))


def opaque(condition: Clause) -> Clause:
    """Return a condition that no index is tried for, false where it would be NULL."""
    return sa.func.coalesce(condition, sa.false(), type_=sa.Boolean())


def _leaf(leaf: Leaf, dialect: str) -> Clause:
    if leaf.operand.group == RUN:
        return opaque(attribute_test(leaf, dialect))
    table = TABLES[leaf.operand.group]
    same = (table.c.run_pk == run.c.pk, table.c.name == leaf.operand.name)
    entries: sa.Select[Any] = (
        sa.select(sa.literal_column("1")).select_from(table).where(*same, entry_test(leaf, table, dialect))
    )
    found = entries.correlate(run).exists()
    return sa.not_(found) if isinstance(leaf, Presence) and not leaf.present else found


def _joined(clauses: Sequence[Clause], join: Any) -> Clause:
    while len(clauses) > _IN_A_ROW:
        parts = [clauses[start : start + _IN_A_ROW] for start in range(0, len(clauses), _IN_A_ROW)]
        clauses = [opaque(join(*part)) for part in parts]
    joined: Clause = join(*clauses)
    return joined


def _test(leaf: Comparison | Membership | Matching, number: Any, text: Any, dialect: str) -> Clause:
    if isinstance(leaf, Comparison):
        return _comparison(leaf, text if isinstance(leaf.value, str) else number)
    if isinstance(leaf, Membership):
        return _membership(leaf, number, text)
    found = _matches(leaf, text, dialect)
    return sa.not_(found) if leaf.negated else found


def _comparison(leaf: Comparison, column: Any) -> Clause:
    test: Clause
    if is_nan(leaf.value):
        test = column.is_(None) if leaf.operator == "=" else column.is_not(None)
    else:
        test = _COMPARE[leaf.operator](column, bound(leaf.value))
    return test


def _membership(leaf: Membership, number: Any, text: Any) -> Clause:
    texts = [value for value in leaf.values if isinstance(value, str)]
    numbers = [value for value in leaf.values if not isinstance(value, str) and not is_nan(value)]
    tests: list[Clause] = []
    for column, values in ((text, texts), (number, numbers)):
        if values:
            kind = sa.Float(53) if any(isinstance(value, float) for value in values) else _type_of(values[0])
            bound = sa.bindparam(None, values, type_=kind, expanding=True)
            tests.append(column.not_in(bound) if leaf.negated else column.in_(bound))
    if any(map(is_nan, leaf.values)):
        tests.append(number.is_not(None) if leaf.negated else number.is_(None))
    return sa.and_(*tests) if leaf.negated else sa.or_(*tests)


def _matches(leaf: Matching, column: Any, dialect: str) -> Clause:
    test: Clause
    if leaf.ignore_case:
        test = column.ilike(like_of(leaf.pattern), escape="\\")
    elif dialect == "sqlite":
        # LIKE disregards case there.
        test = column.bool_op("GLOB")(glob_of(leaf.pattern))
    else:
        test = column.like(like_of(leaf.pattern), escape="\\")
    return test


def is_nan(value: Value) -> bool:
    """Say whether a value is the number that is none."""
    return isinstance(value, float) and math.isnan(value)


def _type_of(value: Value) -> sa.types.TypeEngine[Any]:
    if isinstance(value, str):
        return sa.Text()
    return sa.Float(53) if isinstance(value, float) else sa.BigInteger()
