"""Few runs to begin with, where an index says that a term of the filter holds for few.

Without this a search for something rare would look at every run in the order asked for. The candidates of a term
are counted in its index only up to a bound, so asking costs little.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from amlsdk.storage.catalogue.filter_sql import TABLES, Clause, attribute_test, entry_test
from amlsdk.storage.catalogue.filter_terms import RUN, Comparison, Condition, Leaf, Membership, Presence
from amlsdk.storage.catalogue.schema import run
from amlsdk.storage.catalogue.search_scope import Scope

__all__ = ["seed_of"]

_MOST_TERMS = 8
_LEAST_BOUND = 1000
# Each candidate costs about as much as a run looked at in order, of which a page needs at least its limit.
_PER_ITEM = 4
_EVERYWHERE = {"id", "parent_id"}
_IN_EXPERIMENT = {"name", "status", "started_at"}


def seed_of(
    connection: Connection, terms: Iterable[Condition], scope: Scope, *, limit: int, dialect: str
) -> Clause | None:
    """Return a condition that `run.pk` is one of few, or None where no term of the filter holds for few runs.

    Args:
        connection: To count with.
        terms: Those of the filter that must all hold.
        scope: Whose runs are searched.
        limit: How many runs are wanted.
        dialect: Name of the kind of database.
    """
    bound = max(_LEAST_BOUND, _PER_ITEM * limit)
    fewest: Clause | None = None
    for keys in itertools.islice(_candidates(terms, scope, dialect), _MOST_TERMS):
        counted = sa.select(sa.func.count()).select_from(keys.limit(bound + 1).subquery())
        found = connection.scalar(counted) or 0
        if found <= bound:
            bound, fewest = found, run.c.pk.in_(keys)
        if found == 0:
            break
    return fewest


def _candidates(terms: Iterable[Condition], scope: Scope, dialect: str) -> Iterator[sa.Select[tuple[int]]]:
    for term in terms:
        if not isinstance(term, (Comparison, Membership, Presence)) or not _is_narrow(term):
            continue
        if term.operand.group != RUN:
            yield _entries(term, scope, dialect)
        elif term.operand.name in _EVERYWHERE or (term.operand.name in _IN_EXPERIMENT and scope.experiment_id):
            yield sa.select(run.c.pk).where(*_scope_of(run, scope), attribute_test(term, dialect))


def _is_narrow(term: Comparison | Membership | Presence) -> bool:
    if isinstance(term, Comparison):
        narrow = term.operator != "!="
    elif isinstance(term, Membership):
        narrow = not term.negated
    else:
        narrow = term.present and term.operand.group != RUN
    # Of a metric, only the last value is indexed.
    return narrow and term.operand.part == "last"


def _entries(term: Leaf, scope: Scope, dialect: str) -> sa.Select[tuple[int]]:
    table = TABLES[term.operand.group].alias("seed")
    same_name = table.c.name == term.operand.name
    return sa.select(table.c.run_pk).where(*_scope_of(table, scope), same_name, entry_test(term, table, dialect))


def _scope_of(table: Any, scope: Scope) -> tuple[Clause, ...]:
    return () if scope.experiment_id is None else (table.c.experiment_id == scope.experiment_id,)
