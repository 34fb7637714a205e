"""Hyperparameters as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["class_name", "plain"]

_MAX_ITEMS = 100
_MAX_TEXT = 1000
_MAX_DEPTH = 6
_INT_BITS = 64


def class_name(kind: Any) -> str:
    """Module and name of a class or function."""
    return f"{kind.__module__}.{kind.__qualname__}"


def plain(value: Any, *, depth: int = _MAX_DEPTH) -> Any:
    """JSON that says what a value is: itself where JSON has it, else a short text.

    NaN, infinities and integers beyond 64 bits are texts; long texts and lists are cut; an estimator is its class and
    hyperparameters; any other object is the name of its class.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() < _INT_BITS else str(value)[:_MAX_TEXT]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, str):
        # A lone surrogate is in no text that travels.
        return value[:_MAX_TEXT].encode(errors="replace").decode()
    if depth == 0:
        return class_name(type(value))
    return _structured(value, depth - 1)


def _structured(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {str(key)[:_MAX_TEXT]: plain(each, depth=depth) for key, each in list(value.items())[:_MAX_ITEMS]}
    if isinstance(value, (list, tuple)):
        return [plain(each, depth=depth) for each in value[:_MAX_ITEMS]]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(each, depth=depth) for each in list(value)[:_MAX_ITEMS]), key=repr)
    if hasattr(value, "get_params") and not isinstance(value, type):
        return {"class": class_name(type(value)), "hyperparameters": plain(value.get_params(deep=False), depth=depth)}
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return _numbers(value, depth)
    return class_name(value if hasattr(value, "__qualname__") else type(value))


def _numbers(value: Any, depth: int) -> Any:
    if value.size > _MAX_ITEMS:
        return f"array of shape {list(value.shape)}, {value.dtype}"
    listed = value.tolist()
    # A scalar of a type that Python lacks (a long double, a date) gives itself back.
    return plain(listed, depth=depth) if type(listed).__module__ != "numpy" else str(value)
