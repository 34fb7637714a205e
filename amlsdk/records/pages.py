"""Pages of lists, and the empty reply."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

__all__ = ["Ack", "Page"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Page(Generic[T]):
    """Some of the items of a list.

    Args:
        items: In the order that was asked for.
        next_token: Ask again with this to go on after the last item; None where the list ends. It is a keyset,
            so items that come and go in between shift nothing.
    """

    items: tuple[T, ...]
    next_token: str | None = None


@attrs.frozen(kw_only=True)
class Ack:
    """It was done."""
