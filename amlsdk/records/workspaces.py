"""The workspace: what it is and what keeping it costs."""

from __future__ import annotations

import datetime as dt
import os

import attrs

__all__ = ["CATALOGUE", "MARK", "GarbageRecord", "WorkspaceRecord", "is_catalogue"]

# The files that make a folder a workspace.
MARK = "workspace.json"
CATALOGUE = "catalogue.sqlite"


def is_catalogue(path: str) -> bool:
    """Say whether a path is the catalogue of a workspace, or a file that SQLite keeps beside it.

    Nobody but SQLite may open these in a process that has the workspace open: closing them again would drop the locks
    by which processes keep from writing over each other (sqlite.org/howtocorrupt.html, section 2.2).
    """
    if CATALOGUE not in path:
        return False
    folder, name = os.path.split(path)
    return name.startswith(CATALOGUE) and os.path.exists(os.path.join(folder, MARK))  # noqa: PTH110, PTH118


@attrs.frozen(kw_only=True)
class WorkspaceRecord:
    """A workspace: the unit of sharing, which holds projects, runs and models.

    Args:
        id: Its id.
        name: Its name; for a folder, the folder's.
        created_at: When it was made (UTC).
        slots: How many submitted runs of the target `local` execute at once on a machine.
        version: The version of amlsdk that answers.
        team_id: The team that shares it; None for a folder.
        region: A label of the subscription's, or empty.
        description: Free text.
        role: What the caller may do in it: `reader`, `contributor` or `owner`.
    """

    id: str
    name: str
    created_at: dt.datetime
    slots: int
    version: str = ""
    team_id: str | None = None
    region: str = ""
    description: str = ""
    role: str = "owner"


@attrs.frozen(kw_only=True)
class GarbageRecord:
    """What `aml gc` removed, or would remove.

    Args:
        blob_count: Blobs that nothing referred to.
        size_bytes: Their size.
        kept_count: Blobs that are in use or too young to judge.
    """

    blob_count: int
    size_bytes: int
    kept_count: int
