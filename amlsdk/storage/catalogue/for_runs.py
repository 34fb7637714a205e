"""A statement for whatever runs are named by their numbers, one or thousands."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

__all__ = ["ForRuns"]

_PLACE = "/* numbers */"


class ForRuns:
    """A SELECT, limited to some runs when it is executed.

    Args:
        statement: The SELECT.
        pk: The column that holds the runs' numbers.
    """

    def __init__(self, statement: sa.Select[Any], pk: sa.ColumnElement[int]) -> None:
        self._statement = statement.where(pk.op("IN")(sa.literal_column(_PLACE)))
        self._text = functools.cache(self._compiled)

    def rows(self, connection: Connection, keys: Sequence[int]) -> list[Any]:
        """Return the rows as the driver has them, plain tuples.

        Args:
            connection: To read with.
            keys: The runs' numbers, at least one. They are the catalogue's own: written into the statement they meet
                no limit on parameters.
        """
        # Past SQLAlchemy, which would take longer to write the numbers out and to wrap the rows than the query takes.
        text = self._text(connection.dialect).replace(_PLACE, f"({','.join(map(repr, keys))})")
        result = connection.exec_driver_sql(text)
        cursor: Any = result.cursor
        rows: list[Any] = cursor.fetchall()
        result.close()
        return rows

    def _compiled(self, dialect: Dialect) -> str:
        return str(self._statement.compile(dialect=dialect))
