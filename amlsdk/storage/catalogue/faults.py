"""What goes wrong with a catalogue, as errors that say what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy import exc

from amlsdk.errors import InvalidArgument, Unavailable

__all__ = ["catalogue_errors", "unavailable"]

# What SQLite's messages have in common, and what helps.
_REMEDIES = (
    ("locked", "another process has been writing for too long; end it, or try again"),
    ("readonly", "it is read-only; make the folder and its files writable to write"),
    ("not a database", "it is damaged; restore it from a backup, or recover it with `sqlite3 FILE .recover`"),
    ("malformed", "it is damaged; restore it from a backup, or recover it with `sqlite3 FILE .recover`"),
    ("unable to open", "look whether it exists and this user may open it"),
    ("full", "free some space on its disk, then try again"),
    ("disk i/o", "look at the disk and its file system, then try again"),
    ("no such table", "it is damaged or not of this library; restore it from a backup"),
)
# The same of PostgreSQL, by the beginning of its code (its manual's appendix A), and of what libpq says without one.
_SERVER_REMEDIES = (
    ("55P03", "another process has been writing or migrating for too long; end it, or try again"),
    ("25006", "it is a standby that takes no writes; give the address of the primary server"),
    ("25P0", "the server ended a transaction that took too long; try again"),
    ("28", "look at user and password in its address, and at the server's pg_hba.conf"),
    ("3D", "make the database (createdb --encoding=UTF8 NAME), or correct its name"),
    ("3F", "the workspace was deleted, or its schema was; restore it from a backup"),
    ("42501", "let the user in its address create schemas: GRANT CREATE ON DATABASE NAME TO USER"),
    ("42P01", "it is damaged, not of this library, or was just deleted; restore it from a backup"),
    ("53100", "free some space on the server's disk, then try again"),
    ("53300", "the server has too many connections; raise its max_connections, or serve from fewer processes"),
    ("57P", "the server is stopping or starting; try again"),
    ("08", "look whether the server runs and can be reached; try again"),
    ("40", "others wrote at the same moment; try again"),
    ("password", "look at user and password in its address, and at the server's pg_hba.conf"),
    ("does not exist", "make the database (createdb --encoding=UTF8 NAME) or the user, or correct its address"),
    ("too many", "the server has too many connections; raise its max_connections, or serve from fewer processes"),
    ("connect", "look whether the server runs and can be reached; try again"),
)


@contextlib.contextmanager
def catalogue_errors(url: str) -> Iterator[None]:
    """Turn what a database refuses into `Unavailable`; broken constraints stay what they are."""
    try:
        yield
    except exc.IntegrityError:
        raise
    except exc.DBAPIError as error:
        if not isinstance(error.orig, sqlite3.Error):
            raise _refused(error) from error
        remedy = _remedy(str(error.orig))
        if remedy is None and not isinstance(error, exc.OperationalError):
            raise
        raise Unavailable(f"{_shown(url)} can't be used ({error.orig}): {remedy or 'try again'}") from error
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"{_shown(url)} can't be used ({error}): {_remedy(str(error)) or 'try again'}") from error
    except exc.TimeoutError as error:
        raise Unavailable(f"{_shown(url)} is busy: too many requests wait for a connection; try again") from error


def unavailable(error: BaseException) -> Unavailable:
    """Return what a server's refusal means to whoever asked."""
    return Unavailable(f"the catalogue can't be used ({_first_line(error)}): {_server_remedy(error) or 'try again'}")


def _refused(error: exc.DBAPIError) -> BaseException:
    """What is raised for an error of PostgreSQL's driver."""
    cause = error.orig or error
    if isinstance(error, exc.DataError):
        return InvalidArgument(f"the catalogue can't keep or compare a value that was given: {_first_line(cause)}")
    if _server_remedy(cause) is None and not isinstance(error, exc.OperationalError):
        return error
    return unavailable(cause)


def _remedy(reason: str) -> str | None:
    return next((remedy for mark, remedy in _REMEDIES if mark in reason.lower()), None)


def _server_remedy(error: BaseException) -> str | None:
    code, text = getattr(error, "sqlstate", None), str(error).lower()
    marks = ((mark, code.startswith(mark) if code else mark in text) for mark, _ in _SERVER_REMEDIES)
    found = [mark for mark, fits in marks if fits]
    return dict(_SERVER_REMEDIES)[found[0]] if found else None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _shown(url: str) -> str:
    path = url.removeprefix("sqlite:///").removeprefix("file:").partition("?")[0]
    # The address of a database server may hold a password.
    return f"the catalogue {path!r}" if url.startswith("sqlite:") else "the catalogue"
