"""A workspace's folder: made, recognised, opened."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import orjson
from sqlalchemy import insert, select

from amlsdk.errors import Conflict, InvalidArgument, NotFound, Unavailable
from amlsdk.local.locking import WorkspaceLock
from amlsdk.local.network import mounts, refuse_network
from amlsdk.records.ids import new_id
from amlsdk.records.workspaces import CATALOGUE, MARK
from amlsdk.storage.catalogue import migrating
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.schema import workspace
from amlsdk.storage.catalogue.times import now_us

__all__ = ["REPOSITORIES", "SECRETS_KEY", "enter_workspace", "folder_of", "open_workspace", "workspace_id"]

SECRETS_KEY = "secrets.key"
REPOSITORIES = "repositories"

_FORMAT = 1
_LOCK = "workspace.lock"
_MAKING = "workspace.making"
_PARTS = ("journals", "runs", "cache")
_WAIT_S = 30.0
_MIGRATION_WAIT_S = 2.0
_LOG = logging.getLogger("amlsdk")


def folder_of(location: str | os.PathLike[str]) -> Path:
    """Return the absolute folder of a path or a `file://` URL.

    Raises:
        InvalidArgument: It is the URL of another machine or of nothing.
    """
    text = os.fspath(location)
    if not text.startswith("file:"):
        return Path(text).expanduser().absolute()
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise InvalidArgument(f"{text!r} names no folder of this machine; write file:///absolute/folder, or a path")
    return Path(unquote(parts.path))


def open_workspace(
    folder: Path, *, create: bool, identity: tuple[str, str] | None = None
) -> tuple[Database, WorkspaceLock]:
    """Open a workspace, made where there is none; whoever ends with it closes both.

    Args:
        folder: Its folder.
        create: Whether it is made where there is none.
        identity: Id and name of one that is made; by default a new id, and the folder's name.

    Raises:
        NotFound: There is no workspace, and none is to be made.
        InvalidArgument: The folder can't be a workspace.
        Conflict: A newer version of amlsdk made it.
        Unavailable: It can't be opened now.
    """
    if not (folder / MARK).is_file():
        _refuse(folder, create=create)
        _create(folder, identity or (new_id(), folder.name or "workspace"))
    else:
        refuse_network(folder, mounts())
    read_only = not (os.access(folder, os.W_OK) and os.access(folder / CATALOGUE, os.W_OK))
    _check_mark(folder)
    lock = WorkspaceLock(folder / _LOCK, read_only=read_only)
    try:
        lock.share(timeout_s=_WAIT_S)
        return _open_catalogue(folder, lock, read_only=read_only), lock
    except BaseException:
        lock.close()
        raise


def workspace_id(database: Database) -> str:
    """Return the id of the workspace that a catalogue is of."""
    with database.read() as connection:
        return str(connection.execute(select(workspace.c.id)).scalar_one())


def _refuse(folder: Path, *, create: bool) -> None:
    if not create:
        raise NotFound(f"there is no workspace in {str(folder)!r}; connect without create=False to make one")
    refuse_network(folder, mounts())
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise InvalidArgument(f"{str(folder)!r} is no folder; a workspace needs one that is new or empty")
    names = sorted(os.listdir(folder))  # noqa: PTH208  # names are all that is wanted
    # One that has this file is a workspace whose making was cut off, or is going on, or has just come to its end.
    if names and _MAKING not in names and not (folder / MARK).is_file():
        raise InvalidArgument(
            f"{str(folder)!r} is no workspace and has other files ({names[0]!r}); name a new or an empty folder"
        )


def _create(folder: Path, identity: tuple[str, str]) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"a workspace can't be made in {str(folder)!r}: {error.strerror}; make the place writable or name another"
        ) from error
    lock = WorkspaceLock(folder / _MAKING)
    try:
        with lock.alone(timeout_s=_WAIT_S, otherwise=f"another process is making {str(folder)!r}; wait for it"):
            if not (folder / MARK).is_file():
                _fill(folder, identity)
            (folder / _MAKING).unlink(missing_ok=True)
    finally:
        lock.release()
        lock.close()


def _fill(folder: Path, identity: tuple[str, str]) -> None:
    for part in _PARTS:
        (folder / part).mkdir(mode=0o700, exist_ok=True)
    database = Database(_url(folder, "rwc"))
    try:
        migrating.create(database)
        entered = enter_workspace(database, identity)
    finally:
        database.close()
    # Made last, and under another name first: a folder that has it has everything else.
    draft = folder / f"{MARK}.new"
    draft.write_bytes(orjson.dumps({"format": _FORMAT, "id": entered}))
    draft.replace(folder / MARK)
    _LOG.info("created workspace %s", folder)


def enter_workspace(database: Database, identity: tuple[str, str]) -> str:
    """Note id and name in a new catalogue, unless it has some; return its id."""
    with database.write() as connection:
        found: str | None = connection.execute(select(workspace.c.id)).scalar()
        if found is not None:
            return found
        row = {"id": identity[0], "name": identity[1], "created_at": now_us(), "slots": os.cpu_count() or 1}
        connection.execute(insert(workspace), row)
        return str(row["id"])


def _check_mark(folder: Path) -> None:
    try:
        mark = orjson.loads((folder / MARK).read_bytes())
        found = mark["format"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Unavailable(
            f"{str(folder / MARK)!r} can't be read ({error}); restore it: "
            f'{{"format":{_FORMAT},"id":"..."}}, with the id in the table workspace of catalogue.sqlite'
        ) from error
    if found != _FORMAT:
        raise Conflict(
            f"the workspace {str(folder)!r} has the format {found!r}; this version of amlsdk knows {_FORMAT}: "
            "upgrade amlsdk to open it"
        )


def _open_catalogue(folder: Path, lock: WorkspaceLock, *, read_only: bool) -> Database:
    database = Database(_url(folder, "ro" if read_only else "rw"), read_only=read_only)
    try:
        if not migrating.is_current(database):
            _migrate(database, lock)
    except BaseException:
        database.close()
        raise
    return database


def _migrate(database: Database, lock: WorkspaceLock) -> None:
    if database.read_only:
        raise Unavailable(
            "the workspace has an older schema and is read-only; make it writable once, so that it can be migrated"
        )
    refusal = (
        "the workspace has an older schema and can't be migrated while other processes have it open; "
        "end those that use it, then try again"
    )
    with lock.alone(timeout_s=_MIGRATION_WAIT_S, otherwise=refusal):
        # Two that came at once both saw the older schema; the second finds it migrated.
        if not migrating.is_current(database):
            migrating.migrate(database)
            _LOG.info("migrated %s to schema %s", database.url, migrating.HEAD)


def _url(folder: Path, mode: str) -> str:
    path = folder / CATALOGUE
    # Without a log beside it nothing can be missing from the file, and no other file has to be written to read it.
    unchanging = mode == "ro" and not Path(f"{path}-wal").exists()
    return f"sqlite:///file:{quote(str(path))}?mode={mode}&uri=true" + ("&immutable=1" if unchanging else "")
