"""The data that a model's run logged as its input, as the sample."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amlsdk.errors import AmlError, InvalidArgument, NotFound
from amlsdk.filesets.hashing import hash_file
from amlsdk.operations.filesets import GetFileSet
from amlsdk.records.converting import CONVERTER
from amlsdk.records.logged import InputRecord
from amlsdk.records.serving import ColumnSpec
from amlsdk.resources.inputs import kept_inputs
from amlsdk.resources.manifesting.materials import Material
from amlsdk.resources.manifesting.samples import Rows, rows_of

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["FIRST_ROWS", "first_rows", "logged_sample"]

# Where the profile of an input keeps its first rows.
FIRST_ROWS = "first_rows"

_MOST_READ = 1000
_GIVE = "give some rows yourself: sample=..."


def logged_sample(client: Client, materials: Sequence[Material]) -> Any:
    """Return the first rows of what the run that made the first model logged as its input.

    Raises:
        InvalidArgument: No run made it, or it logged no table, or several, or one that can't be had any more.
    """
    model = materials[0].model
    if model.run_id is None:
        raise InvalidArgument(f"no sample was given, and no run is known that made model {model.name!r}; {_GIVE}")
    inputs = kept_inputs(client, model.run_id)
    if not inputs:
        raise InvalidArgument(
            f"no sample was given, and the run that made model {model.name!r} logged no input; {_GIVE}"
        )
    found = {each.name: rows for each in inputs if (rows := _rows_of(client, each)) is not None}
    if len(found) != 1:
        what = (
            f"has the tables {', '.join(found)}"
            if found
            else f"({', '.join(each.name for each in inputs)}) can't be had"
        )
        raise InvalidArgument(f"no sample was given, and what the run of model {model.name!r} logged {what}; {_GIVE}")
    return next(iter(found.values()))


def first_rows(data: Any) -> dict[str, Any]:
    """Return the first rows of tabular data as a part of its profile; nothing where data are no table."""
    rows = rows_of(data)
    return {} if rows is None else {FIRST_ROWS: CONVERTER.unstructure(rows)}


def _rows_of(client: Client, record: InputRecord) -> Rows | None:
    profile = record.profile
    kept = profile.get(FIRST_ROWS) if isinstance(profile, Mapping) else None
    if isinstance(kept, Mapping):
        columns = tuple(CONVERTER.structure(each, ColumnSpec) for each in kept["columns"])
        return Rows(columns, tuple(kept["rows"]))
    return _of_file(client, record) if record.kind == "file" else None


def _of_file(client: Client, record: InputRecord) -> Rows | None:
    """Read a file that the workspace keeps, or that still lies where it was read from, unchanged."""
    with tempfile.TemporaryDirectory(prefix="amlsdk-sample-") as folder:
        try:
            entry = client.send(GetFileSet(digest=record.digest)).entries[0]
            path = Path(folder, os.path.basename(entry.path))  # noqa: PTH119
            client.blobs.copy_to(entry.digest, path)
        except NotFound:
            path = Path(record.source)
        return _read(path, record)


def _read(path: Path, record: InputRecord) -> Rows | None:
    from amlsdk.resources.values.tabular_files import read_part

    try:
        if path == Path(record.source) and hash_file(path) != (record.digest, record.size_bytes):
            return None
        part = read_part(path, lambda _columns: _MOST_READ)
    except AmlError:
        return None
    except Exception:  # noqa: BLE001  # readers of files raise what they like; a file that can't be read is no sample
        return None
    return None if part is None else rows_of(part.frame)
