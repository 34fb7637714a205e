"""What a lost run left in its outputs, kept."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from amlsdk.filesets.paths import is_utf8
from amlsdk.local.handling import Local
from amlsdk.storage.catalogue.dialects import insert
from amlsdk.storage.catalogue.schema import run_file
from amlsdk.storage.catalogue.times import now_us

__all__ = ["keep_files", "save_outputs"]


def save_outputs(local: Local, run_id: str) -> list[dict[str, Any]]:
    """Store the regular files in a run's outputs and return what to note of them; links lead anywhere and are left."""
    work = local.run_folder(run_id) / "work"
    found = {path: executable for path, executable in _files(work / "outputs") if is_utf8(str(path))}
    stored = local.blobs.put_files(list(found)) if found else {}
    return [
        {
            "path": path.relative_to(work).as_posix(),
            "kind": "output",
            "digest": kept.digest,
            "size_bytes": kept.size_bytes,
            "mode": "executable" if found[path] else "file",
            "time": now_us(),
        }
        for path, kept in stored.items()
    ]


def keep_files(connection: Connection, run_pk: int, files: list[dict[str, Any]]) -> None:
    """Note files of a run, over what was noted of the same paths."""
    if not files:
        return
    statement = insert(connection, run_file)
    changed = {name: statement.excluded[name] for name in files[0] if name != "path"}
    statement = statement.on_conflict_do_update(index_elements=["run_pk", "path"], set_=changed)
    connection.execute(statement, [{"run_pk": run_pk, **file} for file in files])


def _files(folder: Path) -> Iterator[tuple[Path, bool]]:
    if folder.is_symlink() or folder.parent.is_symlink():
        # A script may have put a link in place of either; where that leads is not the run's.
        return
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            mode = path.lstat().st_mode
            # A file that nobody may read can't be kept, and must not keep the others from being.
            if stat.S_ISREG(mode) and os.access(path, os.R_OK):
                yield path, bool(mode & stat.S_IXUSR)
