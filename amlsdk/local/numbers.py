"""Texts that read as numbers, so that `params.depth < 10` compares numbers."""

from __future__ import annotations

import math

__all__ = ["number_of"]


def number_of(text: str) -> float | None:
    """Return the finite number a text says, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
