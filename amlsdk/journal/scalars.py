"""What a metric takes: numbers and steps, whatever library they come from."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from itertools import count
from typing import Any

from amlsdk.errors import InvalidArgument
from amlsdk.journal.text import INT64

__all__ = ["as_number", "as_step", "as_time", "steps_from"]


def as_number(name: str, value: Any) -> float:
    """Return a real number, or a scalar, array or tensor that holds one, as a float.

    Raises:
        InvalidArgument: It is something else, or too large for a float.
    """
    try:
        held = _held(value)
        number = float(held)
    except OverflowError as error:
        raise _too_large(name) from error
    except Exception as error:  # whatever a foreign type's conversion raises, the run goes on
        raise InvalidArgument(f"metric {name!r} takes a number, not {type(value).__name__}") from error
    if math.isinf(number) and held != number:
        raise _too_large(name)
    return number


def as_step(name: str, step: Any) -> int:
    """Return a whole number of 64 bits.

    Raises:
        InvalidArgument: It is something else.
    """
    return _whole(step, f"a step of metric {name!r}")


def as_time(name: str, time_us: Any) -> int:
    """Return microseconds since 1970 UTC as a whole number of 64 bits.

    Raises:
        InvalidArgument: It is something else.
    """
    return _whole(time_us, f"a time of metric {name!r}")


def steps_from(name: str, first: int) -> Callable[[], int]:
    """Return what gives the steps of a metric one by one; two threads never get the same."""
    if first in INT64:
        return count(first).__next__

    def refuse() -> int:
        raise InvalidArgument(f"metric {name!r} has no step after {INT64[-1]}; log it with a step of its own")

    return refuse


def _held(value: Any) -> Any:
    # Arrays and tensors of one element, of any shape; their own `float()` warns, or drops an imaginary part.
    held = value.item() if hasattr(value, "dtype") and hasattr(value, "item") else value
    if not hasattr(type(held), "__float__"):
        raise TypeError(f"{type(held).__name__} is no number")
    return held


def _whole(value: Any, what: str) -> int:
    # NumPy's truth values have an index too, but warn of it.
    is_truth = isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", None) == "b"
    try:
        number = None if is_truth else operator.index(value)
    except TypeError as error:
        raise InvalidArgument(f"{what} is a whole number, not {type(value).__name__}") from error
    if number is None:
        raise InvalidArgument(f"{what} is a whole number, not bool")
    if number not in INT64:
        raise InvalidArgument(f"{what} has 64 bits; {number} is beyond them")
    return number


def _too_large(name: str) -> InvalidArgument:
    return InvalidArgument(f"metric {name!r}: the number is too large for a float")
