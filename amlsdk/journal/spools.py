"""Folders in which journals wait for a service."""

from __future__ import annotations

import contextlib
from pathlib import Path

from amlsdk.journal.begun import begun_in
from amlsdk.journal.folder import outstanding
from amlsdk.service import Spool

__all__ = ["location_of", "name_service", "spools_in"]

_MARK = "service"


def name_service(spool: Spool, location: str) -> None:
    """Write down which service a spool is for, which its own name does not tell; what can't be written is not missed.

    Args:
        spool: Of a client on this machine.
        location: URL of the service or its workspace.
    """
    mark = spool.journals.parent / _MARK
    if not mark.exists():
        with contextlib.suppress(OSError):
            mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            mark.write_text(f"{location}\n", "utf-8")


def location_of(spool: Spool) -> str | None:
    """Return the service that a spool is for, where that is written down."""
    with contextlib.suppress(OSError, UnicodeError):
        return (spool.journals.parent / _MARK).read_text("utf-8").strip() or None
    return None


def spools_in(folder: Path) -> list[Spool]:
    """Return what waits in a folder of journals, in a spool, or in a home of amlsdk, by name."""
    places = [folder, folder / "journals", *sorted(folder.glob("*/journals")), *sorted(folder.glob("spool/*/journals"))]
    found = [Spool(journals=place, runs=place.parent / "runs", shipped=True) for place in places if place.is_dir()]
    return [spool for spool in found if outstanding(spool.journals) or begun_in(spool.journals)]
