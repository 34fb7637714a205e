"""Output in the catalogue, where several servers answer and no folder is common to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection

from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.schema import output_chunk
from amlsdk.storage.outputs.base import OutputStore

__all__ = ["TableOutputs"]

# A row that is smaller grows by what comes next, so that a line at a time leaves few rows.
_FULL = 64 * 1024
_KEY: Any = bindparam("key")
_AT: Any = bindparam("at")
_MINE = output_chunk.c.owner_id == _KEY
_SIZES = select(output_chunk.c.first_offset, output_chunk.c.size_bytes).where(_MINE)
_LAST = _SIZES.order_by(output_chunk.c.first_offset.desc()).limit(1)
_DATA = select(output_chunk.c.data).where(_MINE, output_chunk.c.first_offset == _AT)
_FROM = (
    select(output_chunk.c.first_offset, output_chunk.c.data)
    .where(_MINE, output_chunk.c.first_offset <= _AT)
    .order_by(output_chunk.c.first_offset.desc())
    .limit(1)
)
_GROW = update(output_chunk).where(_MINE, output_chunk.c.first_offset == _AT)
_ADD = insert(output_chunk)
_NONE = delete(output_chunk).where(_MINE)


@attrs.frozen
class TableOutputs(OutputStore):
    """Output in rows of the table `output_chunk`, each of which begins where the one before ends.

    Args:
        database: The catalogue of the workspace.
    """

    database: Database

    def append(self, key: str, content: ByteStream, *, offset: int) -> int:  # noqa: D102
        end = None
        for chunk in _pieces(content):
            # A piece has come whole before the transaction begins, which holds up everybody else who writes.
            with self.database.write() as connection:
                end = _append(connection, key, chunk, offset)
            offset += len(chunk)
            if end < offset:
                # A gap: what comes after it would have no place either.
                break
        return self.size(key) if end is None else end

    def size(self, key: str) -> int:  # noqa: D102
        with self.database.read() as connection:
            return sum(_last(connection, key))

    def read(self, key: str, *, start: int, stop: int) -> ByteStream:  # noqa: D102
        return ByteStream(begin=lambda: self._chunks(key, start, stop), size_bytes=max(0, stop - start))

    def delete(self, key: str) -> None:  # noqa: D102
        with self.database.write() as connection:
            connection.execute(_NONE, {"key": key})

    def _chunks(self, key: str, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            # A transaction a row: none stays open while a slow client takes what it was sent.
            with self.database.read() as connection:
                row = connection.execute(_FROM, {"key": key, "at": start}).first()
            found = b"" if row is None else bytes(row.data)[start - row.first_offset : stop - row.first_offset]
            if not found:
                # It was deleted meanwhile, as a file would be cut short.
                return
            start += len(found)
            yield found


def _pieces(content: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in content:
        for start in range(0, len(chunk), CHUNK):
            yield chunk[start : start + CHUNK]


def _last(connection: Connection, key: str) -> tuple[int, int]:
    """Where the last row begins, and its size."""
    row = connection.execute(_LAST, {"key": key}).first()
    return (0, 0) if row is None else (row.first_offset, row.size_bytes)


def _append(connection: Connection, key: str, chunk: bytes, offset: int) -> int:
    begin, size = _last(connection, key)
    end = begin + size
    if offset > end:
        return end
    new = chunk[end - offset :]
    if not new:
        return end
    if size > 0 and size + len(new) <= _FULL:
        whole = bytes(connection.execute(_DATA, {"key": key, "at": begin}).scalar_one()) + new
        connection.execute(_GROW, {"key": key, "at": begin, "data": whole, "size_bytes": len(whole)})
    else:
        row = {"owner_id": key, "first_offset": end, "size_bytes": len(new), "data": new}
        connection.execute(_ADD, row)
    return end + len(new)
