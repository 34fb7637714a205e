"""What collections of versions have in common: found by name and number, deleted one by one."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeVar

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations import Request
from amlsdk.records.ids import is_id
from amlsdk.records.names import check_text
from amlsdk.records.pages import Page
from amlsdk.resources.arguments import check_whole, shown
from amlsdk.resources.paging import all_items
from amlsdk.resources.resource import Collection, Resource

__all__ = ["VersionedCollection"]

Res = TypeVar("Res", bound="Resource[Any]")


class VersionedCollection(Collection[Res]):
    """Things that have a name and a version; iterating gives the newest version of each name."""

    @abstractmethod
    def _listing(
        self, *, name: str | None = None, version: int | None = None, latest: bool = False, limit: int = 1000
    ) -> Request[Page[Any]]:
        """The request that lists versions."""

    @abstractmethod
    def _delete(self, identifier: str) -> None:
        """Delete a version by its id."""

    def get(self, key: str, version: int | None = None) -> Res:
        """Return a version, by default the newest.

        Args:
            key: A name, or the id of a version.
            version: Its number.

        Raises:
            NotFound: There is no such name or version; the message names those there are.
        """
        self._check_key(key)
        check_whole(version, what="get(version=...)")
        if is_id(key):
            return self._make(self._read(key))
        found = self._client.send(self._listing(name=key, version=version, latest=version is None, limit=1)).items
        if not found:
            raise NotFound(self._missing(key, version))
        return self._make(found[0])

    def list(self, *, name: str | None = None) -> list[Res]:
        """Return all versions by name, newest first, or those of a name."""
        if name is not None:
            check_text(name, what="list(name=...)")
        return [self._make(record) for record in all_items(self._client, self._listing(name=name))]

    def delete(self, item: str | Res, version: int | None = None) -> None:
        """Delete a version; an absent one is no error, and its number is not given again.

        Args:
            item: The object, the id of a version, or a name together with `version`.
            version: Its number; a name alone is refused, so that no newest version goes by mistake.

        Raises:
            Conflict: Something still depends on it; the message names it.
        """
        check_whole(version, what="delete(version=...)")
        if isinstance(item, Resource):
            self._delete(self._own(item).id)
            return
        if not isinstance(item, str):
            raise InvalidArgument(f"delete(...) takes {self._one}, the id of a version or a name, not {shown(item)}")
        if is_id(item):
            self._delete(item)
            return
        if version is None:
            raise InvalidArgument(f"say which version of {item!r} is to be deleted: delete({item!r}, version=...)")
        for record in self._client.send(self._listing(name=item, version=version, limit=1)).items:
            self._delete(record.id)

    def _check_key(self, key: Any) -> None:
        if not isinstance(key, str):
            raise InvalidArgument(f"{self._one} is found by its name or the id of a version, not by {shown(key)}")
        check_text(key, what="get(key=...)")

    def _missing(self, key: str, version: int | None) -> str:
        newest = self._client.send(self._listing(name=key, limit=5)).items
        if not newest:
            return f"there is no {self.what} {key!r}{self._hint()}"
        versions = ", ".join(str(record.version) for record in newest)
        return f"{self.what} {key!r} has no version {version}; its newest versions are {versions}"

    def _get(self, key: str) -> Res:
        return self.get(key)
