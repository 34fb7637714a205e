"""A digest of tabular data by content, equal wherever and however the data lie in memory.

What is hashed (SHA-256), in this order:

1. the text `amlsdk.frame/1` and the kind: `pandas`, `array`, `columns` (structured arrays) or `values` (lists,
   mappings);
2. of frames: the number of rows; for each level of the index, then each column: name, dtype, values;
   of arrays: dtype, shape, then the values in C order.

Numbers, booleans, times and durations are hashed as little-endian arrays, every NaN as one NaN and -0.0 as 0.0; those
of nullable dtypes with the mask of what is missing before them. Categories are hashed as encoded below, with whether
they are ordered, then the codes; where they are not ordered, sorted and only those used, so that what is in the cells
counts. Texts and objects are hashed one by one, each with its type and length before it: None, NaN, NaT and NA are one
missing value, texts are UTF-8, whole numbers decimal, times ISO 8601. Byte order, strides and the width of fixed-width
texts are no part of it; a frame of polars or pyarrow has the digest of the pandas frame it converts to. Attributes of
a frame are not hashed. Dtypes are, so a release of pandas that infers another dtype for the same file gives another
digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from amlsdk import plugins
from amlsdk.errors import InvalidArgument
from amlsdk.resources.values.encoding import encoded
from amlsdk.resources.values.frames import is_pandas, to_pandas

__all__ = ["digest_frame"]

_FIXED = "biufcmM"


class _Hash:
    """SHA-256 over items, each after its length, so that no two sequences of them look alike."""

    def __init__(self, kind: str) -> None:
        self._sha = hashlib.sha256()
        self.text("amlsdk.frame/1")
        self.text(kind)

    def item(self, content: Any) -> None:
        view = memoryview(content).cast("B") if len(content) else memoryview(b"")
        self._sha.update(b"%d:" % view.nbytes)
        self._sha.update(view)

    def text(self, content: str) -> None:
        self.item(content.encode("utf-8", "surrogatepass"))

    def hexdigest(self) -> str:
        return self._sha.hexdigest()


def digest_frame(frame: Any) -> str:
    """Return the SHA-256 of tabular data by content, 64 hexadecimal digits; equal over processes and machines.

    Args:
        frame: As for `profile_frame`, but no path.

    Raises:
        InvalidArgument: It is no frame, or holds objects without a content that can be told (the message names the
            column and the type).
        MissingDependency: A frame of polars or pyarrow needs pandas.
    """
    if callable(getattr(frame, "to_pandas", None)):
        plugins.require("pandas", extra="pandas")
    frame = to_pandas(frame)
    if is_pandas(frame):
        return _of_pandas(frame)
    if hasattr(frame, "__array__"):
        return _of_array(frame)
    if isinstance(frame, Mapping) or (isinstance(frame, Sequence) and not isinstance(frame, (str, bytes))):
        found = _Hash("values")
        found.item(encoded(frame, "the data"))
        return found.hexdigest()
    raise InvalidArgument(f"a frame, an array or a list of mappings has a digest, not {type(frame).__name__}")


def _of_pandas(frame: Any) -> str:
    found = _Hash("pandas")
    found.text(f"{len(frame)} {frame.index.nlevels} {frame.shape[1]}")
    for level in range(frame.index.nlevels):
        values = frame.index.get_level_values(level)
        _add_series(found, values.name, values.to_series())
    for position in range(frame.shape[1]):
        _add_series(found, frame.columns[position], frame.iloc[:, position])
    return found.hexdigest()


def _add_series(found: _Hash, name: Any, series: Any) -> None:
    what = f"column {name!r}"
    found.item(encoded(name, f"the name of {what}"))
    found.text(series.dtype.name)  # unlike its text, without byte order
    kind = getattr(series.dtype, "kind", "O")
    if series.dtype.name == "category":
        _add_categories(found, series, what)
    elif hasattr(series.dtype, "tz"):
        # In UTC; the zone is part of the dtype.
        _add_fixed(found, series.dt.tz_convert(None).to_numpy())
    elif hasattr(series.dtype, "numpy_dtype") and kind in "biuf":
        missing = series.isna()
        _add_fixed(found, missing.to_numpy())
        _add_fixed(found, series.mask(missing, False if kind == "b" else 0).to_numpy(series.dtype.numpy_dtype))
    elif hasattr(series.dtype, "str") and _is_fixed(series.dtype):
        _add_fixed(found, series.to_numpy())
    else:
        _add_objects(found, series.tolist(), what)


def _add_categories(found: _Hash, series: Any, what: str) -> None:
    import numpy as np

    categories = [encoded(one, f"a category of {what}") for one in series.cat.categories.tolist()]
    codes = series.cat.codes.to_numpy().astype(np.int64)
    found.text("ordered" if series.cat.ordered else "unordered")
    if not series.cat.ordered:
        used = sorted({categories[code] for code in np.unique(codes) if code >= 0})
        places = {category: place for place, category in enumerate(used)}
        # The last entry is for the code -1, of missing values.
        moved = np.array([*(places.get(category, -1) for category in categories), -1], np.int64)
        categories, codes = used, moved[codes]
    found.item(b"".join(categories))
    _add_fixed(found, codes)


def _of_array(value: Any) -> str:
    import numpy as np

    array = np.asarray(value)
    if array.dtype.names:
        found = _Hash("columns")
        for name in array.dtype.names:
            found.text(name)
            _add_array(found, array[name], f"column {name!r}")
        return found.hexdigest()
    found = _Hash("array")
    _add_array(found, array, "the array")
    return found.hexdigest()


def _add_array(found: _Hash, array: Any, what: str) -> None:
    # Neither byte order nor the width of texts is content.
    found.text({"U": "str", "S": "bytes"}.get(array.dtype.kind, array.dtype.name))
    found.text(",".join(map(str, array.shape)))
    if _is_fixed(array.dtype):
        _add_fixed(found, array)
    else:
        _add_objects(found, list(array.ravel()), what)


def _is_fixed(dtype: Any) -> bool:
    # The bytes that pad a longdouble are arbitrary.
    return dtype.kind in _FIXED and dtype.char not in "gG"


def _add_fixed(found: _Hash, array: Any) -> None:
    import numpy as np

    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    if plain.dtype.kind == "c":
        plain = plain.view(f"<f{plain.dtype.itemsize // 2}")
    if plain.dtype.kind == "f":
        plain = plain + 0  # a copy, in which -0.0 is 0.0
        plain[np.isnan(plain)] = np.nan
    found.item(plain.view(np.uint8).ravel() if plain.size else b"")


def _add_objects(found: _Hash, values: list[Any], what: str) -> None:
    found.item(b"".join([encoded(value, what) for value in values]))
