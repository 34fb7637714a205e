"""What is done between the end of a script and the end of its run."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from amlsdk.errors import AmlError
from amlsdk.execution.collecting import Store, collect_outputs
from amlsdk.execution.handover import Handover
from amlsdk.execution.starting import Started
from amlsdk.execution.strays import find_strays
from amlsdk.execution.targets.base import ExitStatus
from amlsdk.filesets.removing import remove_tree
from amlsdk.journal.writer import JournalWriter

__all__ = ["finish"]

_LOGGER = logging.getLogger("amlsdk")
_NAMED = 20
_LONGEST_NAME = 200


def finish(handover: Handover, started: Started, store: Store, exit_status: ExitStatus) -> str | None:
    """Keep what the run made and tidy up; return what went wrong, in which case the working folder stays."""
    work = started.work
    journal = JournalWriter(handover.journals, handover.run_id)
    try:
        if exit_status.left:
            journal.note(f"still running when the script had ended, and ended: {'; '.join(exit_status.left)}")
        unkept = collect_outputs(work.folder, store, journal)
        found = find_strays(work.folder, started.tree, since_ns=started.since_ns, begun_ns=started.begun_ns)
        if found:
            _tell(found, work.folder, started.printing.log, journal)
        # Before anything is removed: only now it is sure that the files are known to belong to the run.
        journal.close()
    except (AmlError, OSError) as error:
        _LOGGER.exception("run %s: its outputs could not be kept", handover.run_id)
        with contextlib.suppress(AmlError):
            journal.close()
        return _problem(str(error), work.folder)
    remove_tree(handover.folder / "inputs")
    if unkept:
        return _problem("; ".join(unkept[:_NAMED]), work.folder)
    _tidy(work.folder, found)
    return None


def _tidy(folder: Path, found: list[str]) -> None:
    if not found:
        remove_tree(folder)
    elif not any(path.startswith("outputs/") for path in found):
        # The outputs are kept elsewhere by now; what lies beside them is kept nowhere else.
        remove_tree(folder / "outputs")


def _problem(reason: str, folder: Path) -> str:
    return f"its outputs could not be kept: {reason}; they are still in {folder}"


def _tell(found: list[str], folder: Path, output: Path, journal: JournalWriter) -> None:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    files = "1 file was" if len(found) == 1 else f"{len(found)} files were"
    text = (
        f"{files} written outside of outputs/ and not kept with the run: "
        f"{', '.join(map(_shown, found[:_NAMED]))}{more}; still in {folder}"
    )
    journal.note(text)
    # The note is kept with the run; what the script printed may be gone, or on a disk that is full.
    with contextlib.suppress(OSError):
        if output.is_file():
            _print(output, text)


def _print(output: Path, text: str) -> None:
    with output.open("rb+") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - 1))
        on_a_line = file.read(1) in (b"", b"\n")
    with output.open("ab") as file:
        file.write((b"" if on_a_line else b"\n") + f"amlsdk: {text}\n".encode(errors="replace"))


def _shown(path: str) -> str:
    """Return a path as one line that does nothing to a terminal."""
    plain = path if path.isprintable() else repr(path)[1:-1]
    return plain if len(plain) <= _LONGEST_NAME else f"...{plain[-_LONGEST_NAME:]}"
