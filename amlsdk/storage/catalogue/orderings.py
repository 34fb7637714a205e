"""The order of a search: `metrics.loss asc, started_at desc`.

Numbers come before texts that are none, and what is missing or NaN comes last, in both directions. What is equal
in all keys comes newest first.
"""

from __future__ import annotations

import attrs

from amlsdk.storage.catalogue.filter_names import read_operand
from amlsdk.storage.catalogue.filter_reader import Reader
from amlsdk.storage.catalogue.filter_terms import Operand

__all__ = ["OrderKey", "parse_order"]

_MAX_KEYS = 8


@attrs.frozen
class OrderKey:
    """One key of an order.

    Args:
        operand: What runs are ordered by.
        descending: Largest first.
    """

    operand: Operand
    descending: bool


def parse_order(text: str | None) -> tuple[OrderKey, ...]:
    """Return the keys of an order, the most important first; none means newest first.

    Raises:
        InvalidArgument: It can't be read; the message shows the place and what is expected there.
    """
    if text is None or not text.strip():
        return ()
    reader = Reader(text, "order_by")
    keys = [_key(reader)]
    while reader.skip(","):
        if len(keys) == _MAX_KEYS:
            raise reader.fault(reader.peek(), f"an order has at most {_MAX_KEYS} keys")
        keys.append(_key(reader))
    if reader.peek().kind != "end":
        raise reader.fault(reader.peek(), f"'asc', 'desc', ',' or the end is expected, not {reader.peek().shown}")
    return tuple(keys)


def _key(reader: Reader) -> OrderKey:
    operand = read_operand(reader)
    descending = reader.skip("desc")
    if not descending:
        reader.skip("asc")
    return OrderKey(operand, descending)
