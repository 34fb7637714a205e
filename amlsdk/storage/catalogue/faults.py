"""What goes wrong with a catalogue, as errors that say what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy import exc

from amlsdk.errors import Unavailable

__all__ = ["catalogue_errors"]

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


@contextlib.contextmanager
def catalogue_errors(url: str) -> Iterator[None]:
    """Turn what a database refuses into `Unavailable`; broken constraints stay what they are."""
    try:
        yield
    except exc.IntegrityError:
        raise
    except exc.DBAPIError as error:
        remedy = _remedy(str(error.orig))
        if remedy is None and not isinstance(error, exc.OperationalError):
            raise
        raise Unavailable(f"{_shown(url)} can't be used ({error.orig}): {remedy or 'try again'}") from error
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"{_shown(url)} can't be used ({error}): {_remedy(str(error)) or 'try again'}") from error
    except exc.TimeoutError as error:
        raise Unavailable(f"{_shown(url)} is busy: too many requests wait for a connection; try again") from error


def _remedy(reason: str) -> str | None:
    return next((remedy for mark, remedy in _REMEDIES if mark in reason.lower()), None)


def _shown(url: str) -> str:
    path = url.removeprefix("sqlite:///").removeprefix("file:").partition("?")[0]
    # The address of a database server may hold a password.
    return f"the catalogue {path!r}" if url.startswith("sqlite:") else "the catalogue"
