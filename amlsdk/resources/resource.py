"""What all objects and collections have in common."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.records.ids import is_id
from amlsdk.records.names import check_text
from amlsdk.records.pages import Page
from amlsdk.resources.client import Client

__all__ = ["Collection", "Resource"]


class Record(Protocol):
    """What every record has."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def created_at(self) -> dt.datetime: ...


Rec = TypeVar("Rec", bound=Record)
Res = TypeVar("Res", bound="Resource[Any]")
_SHOWN = 20


class Resource(ABC, Generic[Rec]):
    """An object of a workspace: a record, and the connection it came from. Equal where kind and id are."""

    # How messages call it; a collection takes only objects of its own kind.
    what: str = "object"

    def __init__(self, client: Client, record: Rec) -> None:
        self._client = client
        self._record = record

    @property
    def record(self) -> Rec:
        """All that was known when this object was last read."""
        return self._record

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @property
    def created_at(self) -> dt.datetime:
        """When it was recorded (UTC)."""
        return self.record.created_at

    @abstractmethod
    def _read(self) -> Rec:
        """Read the record again."""

    def refresh(self: Res) -> Res:
        """Read the record again and return this object.

        Raises:
            NotFound: It was deleted.
        """
        self._record = self._read()
        return self

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.id == self.id

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.id))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.id}>"


class Collection(ABC, Generic[Res]):
    """Objects of one kind: iterate, `get`, `in`, `[name]`; pages are read as needed."""

    what: str

    def __init__(self, client: Client) -> None:
        self._client = client

    @abstractmethod
    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        """One page of records, of a name or all."""

    @abstractmethod
    def _read(self, identifier: str) -> Any:
        """The record of an id."""

    @abstractmethod
    def _make(self, record: Any) -> Res:
        """The object of a record."""

    def __iter__(self) -> Iterator[Res]:
        """Iterate over all of them."""
        after: str | None = None
        while True:
            page = self._find(name=None, after=after, limit=1000)
            yield from map(self._make, page.items)
            after = page.next_token
            if after is None:
                return

    def _get(self, key: str) -> Res:
        if not isinstance(key, str):
            raise InvalidArgument(f"{self._one} is found by its name or id, not by {type(key).__name__}")
        check_text(key, what=f"the name of {self._one}")
        if is_id(key):
            return self._make(self._read(key))
        found = self._find(name=key, after=None, limit=2).items
        if not found:
            raise NotFound(f"there is no {self.what} {key!r}{self._hint()}")
        if len(found) > 1:
            raise Conflict(f"more than one {self.what} is named {key!r}; get it by its id")
        return self._make(found[0])

    def _hint(self) -> str:
        known = [record.name for record in self._find(name=None, after=None, limit=5).items]
        return f"; there are {', '.join(map(repr, known))}" if known else ""

    def __getitem__(self, key: str) -> Res:
        """Return the one of a name or id."""
        return self._get(key)

    def __contains__(self, key: object) -> bool:
        """Say whether there is one of this name or id."""
        if isinstance(key, Resource):
            key = key.id if key.what == self.what else None
        try:
            self._get(key)  # type: ignore[arg-type]  # what is no text is refused like a text that can't be a name
        except (NotFound, InvalidArgument):
            return False
        except Conflict:
            return True
        return True

    def _id_of(self, key: str | Resource[Any]) -> str | None:
        """The id of an object, name or id; None where there is none."""
        if isinstance(key, Resource):
            return self._own(key).id
        if isinstance(key, str) and is_id(key):
            return key
        try:
            return self._get(key).id
        except NotFound:
            return None

    def _own(self, item: Resource[Any]) -> Resource[Any]:
        """Return an object that is of this kind."""
        if item.what != self.what:
            raise InvalidArgument(f"{self._one} is expected, not the {item.what} {item.name!r}")
        return item

    @property
    def _one(self) -> str:
        return f"an {self.what}" if self.what[0] in "aeiou" else f"a {self.what}"

    def _row(self, record: Any) -> dict[str, Any]:
        """What a table shows of a record, by column."""
        return {"name": record.name, "created": record.created_at.astimezone()}

    def _shown(self) -> tuple[list[str], list[list[Any]], str]:
        """Columns and rows of the first ones, and what to say of the others."""
        page = self._find(name=None, after=None, limit=_SHOWN)
        rows = [self._row(record) for record in page.items]
        more = "" if page.next_token is None else f"... and more; these are the first {len(rows)}"
        return list(rows[0]) if rows else [], [list(row.values()) for row in rows], more

    def __repr__(self) -> str:
        from amlsdk.resources.values.text_views import table_text

        columns, rows, more = self._shown()
        return "\n".join(filter(None, [table_text(columns, rows), more])) if rows else f"no {self.what}s"

    def _repr_html_(self) -> str:
        from amlsdk.resources.values.text_views import table_html

        columns, rows, more = self._shown()
        if not rows:
            return f"<p>no {self.what}s</p>"
        return table_html(columns, rows) + (f"<p>{more}</p>" if more else "")
