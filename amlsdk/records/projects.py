"""Projects and experiments."""

from __future__ import annotations

import datetime as dt

import attrs

__all__ = ["ExperimentRecord", "ProjectRecord"]


@attrs.frozen(kw_only=True)
class ProjectRecord:
    """A project: the folder of work on one solution.

    Args:
        id: Its id.
        name: Unique in the workspace.
        folder: The absolute path of its files on the machine that made it, or None.
        description: Free text.
        created_at: When it was made (UTC).
        remote: Where its code was published: the URL of a git repository, `service` for the one that comes with the
            project, or None where it was not.
        branch: The branch that was published.
        head: The newest commit that was.
        published_at: When (UTC).
    """

    id: str
    name: str
    created_at: dt.datetime
    folder: str | None = None
    description: str = ""
    remote: str | None = None
    branch: str | None = None
    head: str | None = None
    published_at: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class ExperimentRecord:
    """An experiment: runs that are compared with each other.

    Args:
        id: Its id.
        project_id: The project it belongs to.
        name: Unique in the project.
        description: Free text.
        created_at: When it was made (UTC).
    """

    id: str
    project_id: str
    name: str
    created_at: dt.datetime
    description: str = ""
