"""Every object that an object holds."""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Iterator
from typing import Any

__all__ = ["reachable"]

# A class or module leads to the whole interpreter, and none of what a file says is kept there.
_STOPS = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.FrameType,
    str,
    bytes,
    int,
    float,
)


def reachable(root: Any) -> Iterator[Any]:
    """Objects that an object leads to through attributes, containers and arrays of objects, itself first."""
    seen = {id(root)}
    waiting = [root]
    while waiting:
        item = waiting.pop()
        yield item
        for held in _held(item):
            if id(held) not in seen and not isinstance(held, _STOPS):
                seen.add(id(held))
                waiting.append(held)


def _held(item: Any) -> list[Any]:
    held = [each for each in gc.get_referents(item) if type(each).__name__ != "cython_function_or_method"]
    numpy = sys.modules.get("numpy")
    # numpy does not tell the collector what an array of objects holds.
    if numpy is not None and isinstance(item, numpy.ndarray) and item.dtype.hasobject:
        held += item.ravel().tolist()
    return held
