"""Tables that a run kept as files."""

from __future__ import annotations

import json
from typing import Any

from amlsdk.errors import NotFound
from amlsdk.records.names import listed
from amlsdk.resources.run_files import RunFiles

__all__ = ["read_table"]

_FOLDER = "tables/"


def read_table(files: RunFiles, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table or list that was logged whole.

    Raises:
        NotFound: There is none of this name; the message names those there are.
    """
    path = f"{_FOLDER}{name}.json"
    if path not in files:
        raise NotFound(f"there is no table {name!r}{_hint(files)}")
    document = json.loads(files.open(path).read())
    if "values" in document:
        return [{"value": value} for value in document["values"]]
    if "rows" in document:
        return [dict(zip(document["columns"], row, strict=True)) for row in document["rows"]]
    return [document]


def _hint(files: RunFiles) -> str:
    paths = [file.path for file in files if file.path.startswith(_FOLDER)]
    names = [repr(path.removeprefix(_FOLDER).removesuffix(".json")) for path in paths]
    return f"; of those logged whole there are {listed(names)}" if names else "; the run has none that was logged whole"
