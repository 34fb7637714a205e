"""Results of `run` as JSON: numpy and pandas included, and no NaN taken for null."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

__all__ = ["encode", "plain", "rows_of"]


def rows_of(result: Any, count: int) -> list[Any] | None:
    """Return a result as a list of one entry a row; None where it does not have so many."""
    rows = list(result) if isinstance(result, tuple) else _of_library(result)
    return rows if isinstance(rows, list) and len(rows) == count else None


def encode(result: Any) -> bytes:
    """Return `{"result": ...}` as JSON.

    NaN and the infinities, which JSON lacks, are the texts "NaN", "Infinity" and "-Infinity". A table is a list of
    objects, an array nested lists, a time ISO 8601, a missing value (None, NA, NaT) null.

    Raises:
        TypeError: There is something in it that has no form in JSON.
    """
    body = _ENCODER.encode(result)
    # msgspec writes NaN as null; most results have neither, and need no look at each number.
    if b"null" in body:
        body = _ENCODER.encode(plain(result))
    return b'{"result":' + body + b"}"


def plain(value: Any) -> Any:
    """Return a value made of what JSON knows, NaN and the infinities as texts."""
    if isinstance(value, float):
        return _number(float(value))
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    made = _of_library(value)
    return made if made is value else plain(made)


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _key(key: Any) -> Any:
    return key if isinstance(key, (str, int)) else str(key)


def _hook(value: Any) -> Any:
    made = _of_library(value)
    if made is not value:
        return made
    # msgspec takes numbers and texts of exactly these types only, not of subclasses.
    kinds: tuple[Callable[[Any], Any], ...] = (str, int, float)
    for kind in kinds:
        if isinstance(value, kind):  # type: ignore[arg-type]
            return kind(value)
    raise TypeError(f"the result has a value of type {type(value).__name__}, which has no form in JSON")


def _of_library(value: Any) -> Any:
    """Return a value of numpy or pandas as one of Python; others as they are."""
    # What was not imported has made no values.
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)):
        return _of_numpy(numpy, value)
    return value if pandas is None else _of_pandas(pandas, value)


def _of_numpy(numpy: Any, value: Any) -> Any:
    if value.dtype.kind not in "mM":
        return value.tolist()
    if value.shape:
        return [_of_numpy(numpy, item) for item in value]
    return None if numpy.isnat(value) else str(value)


def _of_pandas(pandas: Any, value: Any) -> Any:
    if isinstance(value, pandas.DataFrame):
        return _records(value)
    if isinstance(value, (pandas.Series, pandas.Index)):
        return value.tolist()
    if value is pandas.NaT or value is pandas.NA:
        return None
    if isinstance(value, pandas.Timestamp):
        return value.isoformat()
    return list(value) if isinstance(value, pandas.api.extensions.ExtensionArray) else value


def _records(frame: Any) -> list[dict[Any, Any]]:
    names = [_key(name) for name in frame.columns]
    columns = [frame.iloc[:, at].tolist() for at in range(len(names))]
    return (
        [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        if names
        else [{} for _ in frame.index]
    )


_ENCODER = msgspec.json.Encoder(enc_hook=_hook)
