"""Where the git repositories of a service are."""

from __future__ import annotations

from pathlib import Path

from amlsdk.repositories.making import bare_repository

__all__ = ["repository_of"]


def repository_of(root: Path, workspace_id: str, project_id: str) -> Path:
    """Return the repository of a project, made where there is none; both ids come from the catalogue."""
    return bare_repository(root / "repositories" / workspace_id / f"{project_id}.git")
