"""Tables that a run kept as files."""

from __future__ import annotations

import json
from typing import Any

from amlsdk.resources.run_files import RunFiles

__all__ = ["read_table"]


def read_table(files: RunFiles, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table or list that was logged whole.

    Raises:
        NotFound: There is none of this name.
    """
    document = json.loads(files.open(f"tables/{name}.json").read())
    if "values" in document:
        return [{"value": value} for value in document["values"]]
    if "rows" in document:
        return [dict(zip(document["columns"], row, strict=True)) for row in document["rows"]]
    return [document]
