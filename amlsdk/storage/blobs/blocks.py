"""Chunks of a stream as the parts in which an object store takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["blocks_of"]


def blocks_of(chunks: Iterable[bytes], *, first_bytes: int, grow_after: int) -> Iterator[bytes]:
    """Regroup chunks into blocks; the last one is shorter. None are empty.

    Args:
        chunks: Of any sizes.
        first_bytes: Size of the first blocks.
        grow_after: After so many of a size the next ones are twice as large: stores take only so many an object.
    """
    block, count = bytearray(), 0
    for chunk in chunks:
        left = memoryview(chunk)
        while left:
            most = first_bytes << (count // grow_after)
            taken = left[: most - len(block)]
            block += taken
            left = left[len(taken) :]
            if len(block) == most:
                yield bytes(block)
                block, count = bytearray(), count + 1
    if block:
        yield bytes(block)
