"""Pages of a list, continued after the last item whatever came and went in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Select, tuple_
from sqlalchemy.engine import Connection

from amlsdk.records.pages import Page
from amlsdk.storage.catalogue.paging import decode_token, encode_token, page_limit

__all__ = ["page_of"]

T = TypeVar("T")


class _Paged(Protocol):
    @property
    def limit(self) -> int: ...
    @property
    def after(self) -> str | None: ...


def page_of(
    connection: Connection,
    statement: Select[Any],
    keys: Sequence[ColumnElement[Any]],
    request: _Paged,
    records: Callable[[Sequence[Any]], Sequence[T]],
) -> Page[T]:
    """Return a page of what a statement selects.

    Args:
        connection: To read with.
        statement: Without order.
        keys: What to order by, ascending; together they name one row.
        request: Says how many items, and after which.
        records: Makes the items of rows.

    Raises:
        InvalidArgument: The limit or the token is wrong.
    """
    limit = page_limit(request.limit)
    if request.after is not None:
        statement = statement.where(tuple_(*keys) > tuple_(*decode_token(request.after, len(keys))))
    labelled = [key.label(f"key_{number}") for number, key in enumerate(keys)]
    # One row more than asked for tells whether the list goes on.
    rows = connection.execute(statement.add_columns(*labelled).order_by(*keys).limit(limit + 1)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    token = encode_token(tuple(rows[-1])[-len(keys) :]) if more else None
    return Page(items=tuple(records(rows)), next_token=token)
