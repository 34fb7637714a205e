"""What a column of numbers looks like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from amlsdk.resources.values.cells import cell_of

__all__ = ["numbers_profile"]

_QUANTILES = {"p1": 0.01, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}


def numbers_profile(values: Any) -> dict[str, Any]:
    """Describe numbers: an array or a list without missing ones.

    Returns:
        `min`, `max`, `mean`, `std` (of a sample: divided by n - 1) and `quantiles` (`p1` to `p99`, linear between
        neighbours) of the finite values, None where there are too few; `zeros`; `infinite`, how many are.
    """
    found = _of_list(values) if isinstance(values, list) else _of_array(values)
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    # A mean of numbers near the largest float may be infinite itself.
    return cell_of(value, "a profile")


def _of_array(values: Any) -> dict[str, Any]:
    import numpy as np

    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    counts = {"zeros": int((finite == 0).sum()), "infinite": int(len(values) - len(finite))}
    if not len(finite):
        return {**_nothing(), **counts}
    with np.errstate(all="ignore"):
        quantiles = np.quantile(finite, list(_QUANTILES.values()))
        return {
            "min": finite.min().item(),
            "max": finite.max().item(),
            "mean": float(finite.mean(dtype=np.float64)),
            "std": float(finite.std(ddof=1, dtype=np.float64)) if len(finite) > 1 else None,
            "quantiles": dict(zip(_QUANTILES, map(float, quantiles), strict=True)),
            **counts,
        }


def _of_list(values: Sequence[int | float]) -> dict[str, Any]:
    finite = sorted(value for value in values if math.isfinite(value))
    counts = {"zeros": sum(value == 0 for value in finite), "infinite": len(values) - len(finite)}
    if not finite:
        return {**_nothing(), **counts}
    mean = math.fsum(value / len(finite) for value in finite)
    return {
        "min": finite[0],
        "max": finite[-1],
        "mean": mean,
        "std": _deviation(finite, mean) if len(finite) > 1 else None,
        "quantiles": {name: _quantile(finite, share) for name, share in _QUANTILES.items()},
        **counts,
    }


def _nothing() -> dict[str, Any]:
    return {"min": None, "max": None, "mean": None, "std": None, "quantiles": None}


def _deviation(values: Sequence[int | float], mean: float) -> float:
    try:
        squares = math.fsum((value - mean) * (value - mean) for value in values)
    except OverflowError:
        return math.inf
    return math.sqrt(squares / (len(values) - 1))


def _quantile(ordered: Sequence[int | float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    part = place - below
    return float(ordered[below] * (1 - part) + ordered[above] * part)
