"""Tabular files: CSV, JSON lines and Parquet, read as far as a profile needs."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

__all__ = ["FilePart", "read_part"]

_DELIMITERS = ",;\t|"
_BATCH = 65_536


@attrs.frozen
class FilePart:
    """The first rows of a file.

    Args:
        frame: Of pandas.
        rows: How many the file has; None where only reading all of it would tell.
        whole: Whether the frame has all of them.
    """

    frame: Any
    rows: int | None
    whole: bool


def read_part(path: Path, rows_for: Callable[[int], int]) -> FilePart | None:
    """Return the first rows of a file, or None where it is not tabular or what reads it is not installed.

    Args:
        path: The suffix says what it is: .csv, .tsv, .jsonl, .ndjson (each also with .gz), .parquet.
        rows_for: How many rows to read of so many columns.
    """
    reader = _reader_of(path)
    needed = ("pandas", "pyarrow") if reader is _parquet else ("pandas",)
    if reader is None or not all(importlib.util.find_spec(module) for module in needed):
        return None
    return reader(path, rows_for)


def _reader_of(path: Path) -> Callable[[Path, Callable[[int], int]], FilePart] | None:
    name = path.name.lower()
    if name.endswith(".parquet"):
        return _parquet
    name = name.removesuffix(".gz")
    if name.endswith((".csv", ".tsv")):
        return _csv
    return _json_lines if name.endswith((".jsonl", ".ndjson")) else None


def _csv(path: Path, rows_for: Callable[[int], int]) -> FilePart:
    import pandas as pd

    delimiter = _delimiter(path)

    def read(rows: int) -> Any:
        # Types are decided over all rows at once, not by chunk.
        return pd.read_csv(path, sep=delimiter, nrows=rows, low_memory=False)

    return _first_rows(read, rows_for)


def _delimiter(path: Path) -> str:
    with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as file:
        head = file.readline(1 << 20).decode("utf-8", "replace")
    return max(_DELIMITERS, key=head.count)


def _json_lines(path: Path, rows_for: Callable[[int], int]) -> FilePart:
    import pandas as pd

    return _first_rows(lambda rows: pd.read_json(path, lines=True, nrows=rows), rows_for)


def _first_rows(read: Callable[[int], Any], rows_for: Callable[[int], int]) -> FilePart:
    most = rows_for(read(1).shape[1])
    frame = read(most + 1)
    whole = len(frame) <= most
    return FilePart(frame if whole else frame.iloc[:most], len(frame) if whole else None, whole)


def _parquet(path: Path, rows_for: Callable[[int], int]) -> FilePart:
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        rows, schema = file.metadata.num_rows, file.schema_arrow
        most = rows_for(len(schema.names))
        batches, read = [], 0
        for batch in file.iter_batches(batch_size=min(_BATCH, most)):
            batches.append(batch)
            read += len(batch)
            if read >= most:
                break
    frame = pa.Table.from_batches(batches, schema=schema).slice(0, most).to_pandas()
    return FilePart(frame, rows, len(frame) == rows)
