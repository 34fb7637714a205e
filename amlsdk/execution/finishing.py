"""What is done between the end of a script and the end of its run."""

from __future__ import annotations

import contextlib
import logging
import shutil
from pathlib import Path

from amlsdk.errors import AmlError
from amlsdk.execution.collecting import Store, collect_outputs
from amlsdk.execution.handover import Handover
from amlsdk.execution.starting import Started
from amlsdk.execution.strays import find_strays
from amlsdk.execution.targets.base import ExitStatus
from amlsdk.journal.writer import JournalWriter

__all__ = ["finish"]

_LOGGER = logging.getLogger("amlsdk")
_NAMED = 20


def finish(handover: Handover, started: Started, store: Store, exit_status: ExitStatus) -> str | None:
    """Keep what the run made and tidy up; return what went wrong, in which case the working folder stays."""
    work = started.work
    journal = JournalWriter(handover.journals, handover.run_id)
    try:
        if exit_status.left:
            journal.note(f"still running when the script had ended, and ended: {'; '.join(exit_status.left)}")
        unkept = collect_outputs(work.folder, store, journal)
        found = find_strays(work.folder, started.tree, since_ns=started.since_ns)
        if found:
            _tell(found, work.folder, work.output, journal)
        # Before anything is removed: only now it is sure that the files are known to belong to the run.
        journal.close()
    except (AmlError, OSError) as error:
        _LOGGER.exception("run %s: its outputs could not be kept", handover.run_id)
        with contextlib.suppress(AmlError):
            journal.close()
        return _problem(str(error), work.folder)
    shutil.rmtree(handover.folder / "inputs", ignore_errors=True)
    if unkept:
        return _problem("; ".join(unkept[:_NAMED]), work.folder)
    _tidy(work.folder, found)
    return None


def _tidy(folder: Path, found: list[str]) -> None:
    if not found:
        shutil.rmtree(folder, ignore_errors=True)
    elif not any(path.startswith("outputs/") for path in found):
        # The outputs are kept elsewhere by now; what lies beside them is kept nowhere else.
        shutil.rmtree(folder / "outputs", ignore_errors=True)


def _problem(reason: str, folder: Path) -> str:
    return f"its outputs could not be kept: {reason}; they are still in {folder}"


def _tell(found: list[str], folder: Path, output: Path, journal: JournalWriter) -> None:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    files = "1 file was" if len(found) == 1 else f"{len(found)} files were"
    text = (
        f"{files} written outside of outputs/ and not kept with the run: "
        f"{', '.join(found[:_NAMED])}{more}; still in {folder}"
    )
    journal.note(text)
    with output.open("rb+") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - 1))
        on_a_line = file.read(1) in (b"", b"\n")
    with output.open("ab") as file:
        file.write((b"" if on_a_line else b"\n") + f"amlsdk: {text}\n".encode(errors="replace"))
