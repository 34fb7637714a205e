"""Schema and profile of data that a run reads."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from amlsdk.errors import NotFound
from amlsdk.resources.values.columns import column_of
from amlsdk.resources.values.frame_digest import digest_frame
from amlsdk.resources.values.frames import Frame, frame_of
from amlsdk.resources.values.tabular_files import read_part

__all__ = ["digest_frame", "profile_frame"]

_log = logging.getLogger("amlsdk")
_MOST_ROWS = 1_000_000
_FEWEST_ROWS = 1000
# Bound the time for a frame that is in memory already, and the memory for a file that is not.
_MOST_CELLS = 100_000_000
_MOST_CELLS_OF_FILE = 20_000_000


def profile_frame(frame: Any) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return schema and profile of tabular data, as JSON.

    All rows up to 1 000 000 are looked at (fewer of more than 100 columns, or 20 in a file); of longer data a sample
    spread over all of it, of longer files the beginning: then `sampled` says how many.

    Args:
        frame: A frame of pandas, polars or pyarrow, a NumPy array `(n,)`, `(n, d)` or a structured one, a list of
            mappings, a mapping of columns; or the path of a CSV, TSV, JSON-lines (these also with .gz) or Parquet file.

    Returns:
        Schema: `columns`, each with `name`, `type` (`boolean`, `integer`, `number`, `string`, `datetime`, `category` or
        `object`) and `dtype`, as the library calls it, or None.
        Profile: `rows` (None for a file of which only the beginning was read), `columns`, `sampled` where it is one,
        and `by_column`, a list in order: `name`, `type`, `count`, `missing`; for numbers `min`, `max`, `mean`, `std`,
        `quantiles` (`p1`, `p5`, `p25`, `p50`, `p75`, `p95`, `p99`), `zeros`, `infinite`; for texts, categories and
        booleans `distinct`, `top` (the 20 most frequent with their counts) and `max_length`; for times `min`, `max`.
        Both are None for a file that is not tabular, is damaged, or that nothing installed can read.

    Raises:
        InvalidArgument: It is none of these.
        NotFound: There is no such file.
    """
    if isinstance(frame, (str, os.PathLike)):
        return _of_file(Path(os.fsdecode(frame)))
    known = frame_of(frame)
    return _described(known, rows=known.rows, most=_rows_of(len(known.names), _MOST_CELLS))


def _rows_of(columns: int, cells: int) -> int:
    return min(_MOST_ROWS, max(_FEWEST_ROWS, cells // max(1, columns)))


def _of_file(path: Path) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    if not path.exists():
        raise NotFound(f"there are no data {str(path)!r}; the working folder is {Path.cwd()}")
    try:
        part = read_part(path, lambda columns: _rows_of(columns, _MOST_CELLS_OF_FILE))
        if part is None:
            return None, None
        frame = frame_of(part.frame)
        schema, profile = _described(frame, rows=part.rows, most=frame.rows)
    except Exception as error:  # noqa: BLE001  # a file is an input of a run whether or not its form can be understood
        _log.debug("%s can't be profiled: %r", path, error)
        return None, None
    return schema, profile if part.whole else {**profile, "sampled": frame.rows}


def _described(frame: Frame, *, rows: int | None, most: int) -> tuple[dict[str, Any], dict[str, Any]]:
    fields, profiles = [], []
    for name, (dtype, values) in zip(frame.names, frame.sampled(most), strict=True):
        described = column_of(values).profile()
        fields.append({"name": name, "type": described["type"], "dtype": dtype})
        profiles.append({"name": name, **described})
    profile: dict[str, Any] = {"rows": rows, "columns": len(fields)}
    if frame.rows > most:
        profile["sampled"] = most
    return {"columns": fields}, {**profile, "by_column": profiles}
