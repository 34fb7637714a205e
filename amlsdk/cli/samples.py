"""Data that commands read from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from amlsdk.errors import InvalidArgument
from amlsdk.plugins import require

__all__ = ["read_data", "sample_option"]

_MOST_BYTES = 256 << 20

sample_option = click.option(
    "--sample",
    metavar="FILE",
    help="Sample data: .json, .csv or .parquet. Default: the logged input of the model's run.",
)


def read_data(path: str | None) -> Any:
    """Return what a file holds: JSON as it is, a table as a DataFrame; None for no file.

    Raises:
        InvalidArgument: It can't be read, or is of another kind.
        MissingDependency: A table needs pandas.
    """
    if path is None:
        return None
    file = Path(path)
    kind = file.suffix.lower()
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InvalidArgument(f"{path!r} has more than {_MOST_BYTES >> 20} MiB; give a few rows of it")
        if kind == ".json":
            return orjson.loads(file.read_bytes())
        if kind in (".csv", ".parquet"):
            pandas = require("pandas", extra="pandas")
            return pandas.read_csv(file) if kind == ".csv" else pandas.read_parquet(file)
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"{path!r} can't be read as data: {error}") from error
    raise InvalidArgument(f"{path!r} is no data that is known: .json, .csv or .parquet")
