"""Reading all pages of a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from amlsdk.operations import Request
from amlsdk.records.pages import Page

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["all_items"]

T = TypeVar("T")


def all_items(client: Client, request: Request[Page[T]]) -> Iterator[T]:
    """Iterate over the items of every page of a request that has `after`."""
    following: Any = request
    while True:
        page = client.send(following)
        yield from page.items
        if page.next_token is None:
            return
        following = attrs.evolve(following, after=page.next_token)
