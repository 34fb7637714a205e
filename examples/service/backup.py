"""Copy a service while it runs: python backup.py [--files] FOLDER_OF_THE_SERVICE COPY

Databases come first and files after them: files never change, and whatever a database names was there when it was
copied. A later copy into the same place only takes the files that are new. To restore, end the service and put the
copy in the place of its folder. Nobody may collect garbage (`aml gc`) or delete a workspace meanwhile.

With `--files` the database is elsewhere, in PostgreSQL: it has to be dumped before.
"""

import argparse
import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

# Each by where it is in the folder: below them, people name files and branches as they like.
_WORKSPACE = r"(?:blobs/)?(?:workspaces/[^/]+/)?"
_REPOSITORIES = rf"{_WORKSPACE}repositories/(?:[^/]+/)?"
DATABASE = re.compile(rf"service\.sqlite|{_WORKSPACE}catalogue\.sqlite")
# What a running service makes again, and what processes agree by.
PASSED_OVER = re.compile(
    rf"scratch|{_WORKSPACE}(cache|blobs/(tmp|parts))|{_REPOSITORIES}(\.new-[^/]*|[^/]+\.git/.*\.lock)"
    rf"|(service|{_WORKSPACE}catalogue)\.sqlite-(wal|shm)"
)
BLOB = re.compile(rf"{_WORKSPACE}blobs/[0-9a-f]{{2}}/[0-9a-f]{{62}}")
# What names the objects of a git repository is read first: they were there before they were named.
NAMES = re.compile(rf"{_REPOSITORIES}[^/]+\.git/(?!objects/).*")
OBJECT = re.compile(rf"({_REPOSITORIES}[^/]+\.git)/objects/.*")


def copy_database(source: Path, target: Path) -> None:
    """Copy a database that others write to, as of one moment (sqlite.org/backup.html)."""
    draft = target.with_name(f"{target.name}.new")
    draft.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(draft)) as written:
        read.backup(written)
    draft.replace(target)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, unless it is gone: a journal that was taken into its database, an upload that was cut off."""
    draft = target.with_name(f"{target.name}.new")
    try:
        shutil.copy2(source, draft)
    except FileNotFoundError:
        return
    draft.replace(target)


def refuse(error: OSError) -> None:
    """Let a folder be gone, but not be kept from being read."""
    if not isinstance(error, FileNotFoundError):
        raise error


def paths_of(root: Path) -> Iterator[tuple[str, bool]]:
    """Yield what is to be copied, as paths in the folder, and whether each is a folder itself."""
    for folder, folders, files in os.walk(root, onerror=refuse):
        inside = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if not PASSED_OVER.fullmatch((inside / name).as_posix())]
        for name in (*folders, *files):
            path = (inside / name).as_posix()
            if not PASSED_OVER.fullmatch(path) and not (root / path).is_symlink():
                yield path, name in folders


def stage_of(path: str) -> int:
    """Return when a file is copied: what names others before what it names."""
    if DATABASE.fullmatch(path):
        return 0
    return 1 if NAMES.fullmatch(path) else 2


def is_needless(path: str, root: Path, copy: Path) -> bool:
    """Tell whether an earlier backup has a file that never changes, or nothing in this one names it."""
    found = OBJECT.fullmatch(path)
    if found and not (copy / found[1] / "HEAD").exists():
        return True
    try:
        return bool(found or BLOB.fullmatch(path)) and (copy / path).stat().st_size == (root / path).stat().st_size
    except FileNotFoundError:
        return False


def copy_stage(root: Path, copy: Path, stage: int) -> None:
    """Copy the files of a stage, as they are found now."""
    for path, is_folder in paths_of(root):
        if is_folder:
            # An empty one counts, too: git knows a repository by its folders.
            if stage == 1:
                (copy / path).mkdir(parents=True, exist_ok=True)
        elif stage_of(path) == stage and not is_needless(path, root, copy):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy_file if stage else copy_database)(root / path, copy / path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Copy a service while it runs.")
    parser.add_argument("folder", type=Path, help="of the service, or of its blobs")
    parser.add_argument("copy", type=Path, help="where to; what an earlier backup left there is used again")
    parser.add_argument("--files", action="store_true", help="the database is elsewhere, and was dumped before")
    given = parser.parse_args()
    root, copy = given.folder.resolve(), given.copy.resolve()
    if not root.is_dir() or copy.is_relative_to(root):
        sys.exit(f"{root} is no folder, or the copy would be in it")
    if not given.files and not (root / "service.sqlite").is_file():
        sys.exit(
            f"{root} is not the folder of a service: it has no service.sqlite; where its database is in PostgreSQL, "
            "dump that first and then say --files"
        )
    copy.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stage in range(3):
        copy_stage(root, copy, stage)


if __name__ == "__main__":
    main()
