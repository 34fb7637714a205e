"""Copy a service that keeps everything in one folder, while it runs: python backup.py FOLDER_OF_THE_SERVICE COPY

Databases come first and files after them: files never change, and whatever a database names was there when it was
copied. A later copy into the same place only takes the files that are new. To restore, end the service and put the
copy in the place of its folder. Nobody may collect garbage (`aml gc`) meanwhile.
"""

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

DATABASES = ("service.sqlite", "catalogue.sqlite")
# What a running service makes again, and what processes agree by.
PASSED_OVER = ("cache", "scratch", "tmp")


def copy_database(source: Path, target: Path) -> None:
    """Copy a database that others write to, as of one moment (sqlite.org/backup.html)."""
    draft = target.with_name(f"{target.name}.new")
    draft.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(draft)) as written:
        read.backup(written)
    draft.replace(target)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, unless it is there; what logs and journals gained is copied anew."""
    try:
        found = source.stat()
    except FileNotFoundError:
        return  # a journal that was taken into its database meanwhile
    if target.exists() and target.stat().st_size == found.st_size and "blobs" in source.parts:
        return
    draft = target.with_name(f"{target.name}.new")
    try:
        shutil.copy2(source, draft)
    except FileNotFoundError:
        return
    draft.replace(target)


def files_of(root: Path) -> list[Path]:
    """Return what is to be copied, as paths in the folder."""
    found = [path.relative_to(root) for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return [
        path for path in found if not set(path.parts) & set(PASSED_OVER) and not path.name.endswith(("-wal", "-shm"))
    ]


def main(source: str, target: str) -> None:
    root, copy = Path(source).resolve(), Path(target).resolve()
    if not (root / "service.sqlite").is_file():
        sys.exit(f"{root} is not the folder of a service: it has no service.sqlite")
    copy.mkdir(mode=0o700, parents=True, exist_ok=True)
    for databases in (True, False):
        for path in files_of(root):
            if (path.name in DATABASES) is databases:
                (copy / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                (copy_database if databases else copy_file)(root / path, copy / path)


if __name__ == "__main__":
    main(*sys.argv[1:])
