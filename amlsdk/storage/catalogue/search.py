"""The search of runs: a page of those that a filter holds for, in an order.

Which index a search reads is decided here, from the form of the question, because a catalogue keeps no statistics:

1. a term of the filter that few runs satisfy gives those, and they are sorted (`search_seeds`);
2. an order by one indexed key is read from its index, in phases (`search_phases`);
3. else runs are read newest first, or all that the scope has are sorted (`search_keys`).

A position is the key's values and the run's number: the same whichever way is taken, so that pages may change ways.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from amlsdk.errors import InvalidArgument
from amlsdk.operations.runs import SearchRuns
from amlsdk.records.pages import Page
from amlsdk.records.runs import RunRecord
from amlsdk.storage.catalogue.filter_sql import Clause, condition_sql
from amlsdk.storage.catalogue.filter_terms import Condition, Value, required
from amlsdk.storage.catalogue.filters import parse_filter
from amlsdk.storage.catalogue.for_runs import ForRuns
from amlsdk.storage.catalogue.orderings import OrderKey, parse_order
from amlsdk.storage.catalogue.paging import decode_token, encode_token, page_limit
from amlsdk.storage.catalogue.runs import SHOWN, record_of
from amlsdk.storage.catalogue.schema import run
from amlsdk.storage.catalogue.search_keys import SortColumn, blanks_of, past, sorted_runs
from amlsdk.storage.catalogue.search_phases import Phase, is_on, phases_of
from amlsdk.storage.catalogue.search_scope import Scope
from amlsdk.storage.catalogue.search_seeds import seed_of
from amlsdk.storage.catalogue.summaries import summaries_of

__all__ = ["search_runs"]

_ROWS = ForRuns(sa.select(run.c.pk, *(run.c[name] for name in SHOWN)), run.c.pk)

# The values of a run's keys in the order of the search, and the run's number last.
Position = tuple[Any, ...]


def search_runs(connection: Connection, request: SearchRuns) -> Page[RunRecord]:
    """Return a page of the runs that a filter holds for, newest first unless another order is asked for.

    Args:
        connection: To read with.
        request: What is asked.

    Raises:
        InvalidArgument: The filter, the order, the limit or the token can't be read; the message shows the place.
        NotFound: There is no such experiment, project or parent run.
    """
    limit = page_limit(request.limit)
    search = _Search(
        condition=parse_filter(request.filter),
        keys=parse_order(request.order_by),
        scope=Scope(request.experiment_id, request.project_id, request.parent_id),
        limit=limit + 1,
        dialect=connection.dialect.name,
    )
    start = _start(request, search.keys)
    search.scope.check(connection)
    try:
        found = search.positions(connection, start)
    except RecursionError as error:
        raise InvalidArgument("the filter nests too deep for the place it is asked from; nest it less") from error
    next_token = encode_token([_print(request), *found[limit - 1]]) if len(found) > limit else None
    return Page(items=_records(connection, [position[-1] for position in found[:limit]]), next_token=next_token)


@attrs.frozen(kw_only=True)
class _Search:
    condition: Condition | None
    keys: tuple[OrderKey, ...]
    scope: Scope
    limit: int
    dialect: str

    def positions(self, connection: Connection, start: Position | None) -> list[Position]:
        phases = phases_of(self.keys[0], self.condition, self.scope, self.dialect) if len(self.keys) == 1 else None
        # The terms on an indexed key bound its index already.
        terms = [term for term in required(self.condition) if phases is None or not is_on(term, self.keys[0])]
        seed = seed_of(connection, terms, self.scope, limit=self.limit, dialect=self.dialect)
        if seed is None and phases is not None:
            return list(itertools.islice(self._in_phases(connection, phases, start), self.limit))
        return self._sorted(connection, seed, start)

    def _sorted(self, connection: Connection, seed: Clause | None, start: Position | None) -> list[Position]:
        table, columns = sorted_runs(self.keys)
        # With few runs to begin with, no other index is to be tempting.
        scope = (*self.scope.indexed, *self.scope.beside) if seed is None else (seed, *self.scope.unindexed)
        where = (*scope, *([] if self.condition is None else [condition_sql(self.condition, self.dialect)]))
        return [tuple(row) for row in self._read(connection, table, columns, where, start)]

    def _in_phases(self, connection: Connection, phases: Sequence[Phase], start: Position | None) -> Iterator[Position]:
        left = self.limit
        for phase in phases:
            if left <= 0 or (start is not None and phase.rank < start[0]):
                continue
            inside = None if start is None or phase.rank > start[0] else _within(phase, start)
            rows = self._read(connection, phase.table, phase.columns, phase.where, inside)
            left -= len(rows)
            yield from (_whole(phase, row, self.keys[0]) for row in rows)

    def _read(
        self,
        connection: Connection,
        table: Any,
        columns: Sequence[SortColumn],
        where: Sequence[Clause],
        start: Position | None,
    ) -> Sequence[Any]:
        statement = sa.select(*(column.expression for column in columns)).select_from(table).where(*where)
        if start is not None:
            statement = statement.where(past(columns, start))
        return connection.execute(statement.order_by(*(column.ordered for column in columns)).limit(self.limit)).all()


def _within(phase: Phase, start: Position) -> Position:
    """The position as the columns of a phase have it."""
    if phase.value is None:
        return start[-1:]
    return start[1 + phase.rank], start[-1]


def _whole(phase: Phase, row: Sequence[Any], key: OrderKey) -> Position:
    """The position that a row of a phase is at."""
    values: list[Value] = list(blanks_of(key.operand))
    if phase.value is not None:
        values[phase.rank] = row[0]
    return phase.rank, *values, row[-1]


def _start(request: SearchRuns, keys: Sequence[OrderKey]) -> Position | None:
    """The position that a token holds, if it is one of this search."""
    if request.after is None:
        return None
    kinds: list[type] = [str]
    for key in keys:
        kinds += [int, *map(type, blanks_of(key.operand))]
    kinds.append(int)
    found = decode_token(request.after, len(kinds))
    if found[0] != _print(request) or [type(value) for value in found] != kinds:
        raise InvalidArgument(
            "this page token belongs to another search: go on with the filter, order_by and scope it was given for"
        )
    return tuple(found[1:])


def _print(request: SearchRuns) -> str:
    """What tells a search from others: all that is asked but the page."""
    asked = [request.filter, request.order_by, request.experiment_id, request.project_id, request.parent_id]
    return hashlib.blake2b(json.dumps(asked).encode(), digest_size=12).hexdigest()


def _records(connection: Connection, keys: list[int]) -> tuple[RunRecord, ...]:
    if not keys:
        return ()
    rows = {row[0]: row for row in _ROWS.rows(connection, keys)}
    summaries = summaries_of(connection, keys)
    return tuple([record_of(rows[key][1:], summaries[key]) for key in keys])
