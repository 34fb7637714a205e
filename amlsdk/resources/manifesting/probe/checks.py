"""What is found out by scoring again: whether arrays do for frames, and whether rows are independent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["agree", "is_known", "is_row_wise"]

_TOLERANCE = 1e-6
_LIBRARIES = frozenset({"sklearn", "xgboost", "lightgbm"})
_PLAIN = (str, int, float, bool, type(None))
_MOST_DEPTH = 6


def agree(first: Any, second: Any) -> bool:
    """Say whether two results are the same, numbers within rounding."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, (int, float)) and isinstance(second, (int, float)):
        return abs(first - second) <= _TOLERANCE * max(1.0, abs(first), abs(second))
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(agree, first, second))
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(agree(first[key], second[key]) for key in first)
    return bool(first == second)


def is_row_wise(score: Callable[[list[Any]], Any], rows: list[Any], result: Any) -> bool:
    """Say whether rows by themselves, in another order and repeated give what they gave together."""
    if not isinstance(result, list) or len(result) != len(rows):
        return False
    backwards = list(range(len(rows)))[::-1]
    orders = [[place] for place in range(len(rows))]
    orders += [backwards, [*backwards, *backwards], [0, 0, 0]]
    return all(agree(score([rows[place] for place in order]), [result[place] for place in order]) for order in orders)


def is_known(model: Any, depth: int = 0) -> bool:  # noqa: PLR0911  # a return a kind of part
    """Say whether a model and all its parts are of libraries whose predictors take each row by itself.

    A sample can't show that rows are independent (`x - x.mean()` of one row is as good as any): functions of a user
    could be anything.
    """
    if isinstance(model, _PLAIN):
        return True
    if depth > _MOST_DEPTH:
        return False
    if isinstance(model, (list, tuple)):
        return all(is_known(each, depth + 1) for each in model)
    if isinstance(model, Mapping):
        return all(is_known(each, depth + 1) for each in model.values())
    kind = model if isinstance(model, type) else type(model)
    top = kind.__module__.partition(".")[0]
    if top == "numpy" or kind is model:
        return top in {"numpy", "builtins"}
    if top not in _LIBRARIES or type(model).__name__ == "FunctionTransformer":
        return False
    parts = model.get_params(deep=False) if hasattr(model, "get_params") else {}
    return all(is_known(each, depth + 1) for each in parts.values())
