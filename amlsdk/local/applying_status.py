"""What a journal claims of its run's end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from amlsdk.errors import InvalidArgument
from amlsdk.journal.entries import Entry
from amlsdk.local.applying import Application
from amlsdk.local.states import change, enter
from amlsdk.records.names import check_text
from amlsdk.records.runs import ENDED, RunStatus

__all__ = ["apply_status"]

# Status, error and time.
_Claim: TypeAlias = "tuple[str, str | None, int]"


def apply_status(to: Application, entries: Iterable[Entry]) -> None:
    """Keep what a run says of its own end, and end it where that decides.

    An interactive run is ended by its first claim, also where it was taken for dead before. A submitted one is
    ended by its supervisor, except that one which says itself that it failed has not completed.
    """
    claims = [claim for claim in to.understood(entries, _claim) if claim[0] in ENDED]
    if not claims:
        return
    first, last = claims[0], claims[-1]
    if to.run.kind == "interactive":
        if to.run.claimed_status is None:
            _end(to, first, **_claimed(first))
        return
    change(to.connection, to.run, **_claimed(last))
    if to.run.status == RunStatus.COMPLETED and last[0] != RunStatus.COMPLETED:
        _end(to, (*last[:2], to.run.ended_at or last[2]))


def _claim(entry: Entry) -> _Claim:
    status, error = entry.data["x"], entry.data.get("e")
    if not isinstance(status, str):
        raise InvalidArgument(f"a status is a text, not {type(status).__name__}")
    return status, None if error is None else check_text(error, what="an error"), entry.time_us


def _claimed(claim: _Claim) -> dict[str, str | None]:
    return {"claimed_status": claim[0], "claimed_error": claim[1]}


def _end(to: Application, claim: _Claim, **columns: Any) -> None:
    status, error, time = claim
    enter(to.connection, to.run, status, at=time, reason=error, **columns)
