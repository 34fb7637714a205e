"""A function over many items in threads, in slices: a task each would cost more than a small file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_parallel"]

T = TypeVar("T")
R = TypeVar("R")

_SLICE = 64


def in_parallel(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Yield a function's result for each item, in order; a few threads work ahead.

    The first error is raised when its item's turn comes; what has not begun by then is given up.
    """
    threads = min(8, (os.cpu_count() or 1) + 1, len(items))
    if threads <= 1:
        yield from map(function, items)
        return
    length = max(1, min(_SLICE, len(items) // (4 * threads)))
    slices = [items[start : start + length] for start in range(0, len(items), length)]
    with ThreadPoolExecutor(threads, "amlsdk-files") as pool:
        for results in pool.map(lambda part: [function(item) for item in part], slices):
            yield from results
