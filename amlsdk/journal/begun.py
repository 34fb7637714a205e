"""Runs that processes of this machine have begun with a service, noted until the service knows how they ended.

A note is `<run id>.<process id>.begun.json` beside the journals: a run that has logged nothing has no journal, and
only on its own machine can it be told that a process is gone.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import attrs
import orjson

from amlsdk.records.jobs import ProcessIdentity

__all__ = ["Begun", "begun_in", "forget", "note"]

_NAME = re.compile(r"([0-9a-z]{26})\.([0-9]+)\.begun\.json")


@attrs.frozen(kw_only=True)
class Begun:
    """A run, and the process that began it.

    Args:
        run_id: The run.
        owner: The process.
        given_up: Whether the service did not answer when it was begun, so that nobody is in it, if it is there.
        ended: Whether a journal says how it ended.
    """

    run_id: str
    owner: ProcessIdentity
    given_up: bool = False
    ended: bool = False

    def path(self, folder: Path) -> Path:
        """Return where it is noted."""
        return folder / f"{self.run_id}.{self.owner.pid}.begun.json"


def note(folder: Path, begun: Begun) -> None:
    """Write a note, or write it anew.

    Raises:
        OSError: The disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = begun.path(folder)
    draft = path.with_suffix(".new")
    said = {"owner": attrs.asdict(begun.owner), "given_up": begun.given_up, "ended": begun.ended}
    draft.write_bytes(orjson.dumps(said))
    draft.replace(path)


def begun_in(folder: Path) -> list[Begun]:
    """Return what is noted in a folder; none where there is no folder."""
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in sorted(folder.iterdir()):
            match = _NAME.fullmatch(path.name)
            read = _read(path, match[1]) if match else None
            if read is not None:
                found.append(read)
    return found


def forget(folder: Path, begun: Begun) -> None:
    """Remove a note; does nothing where it is gone already, or can't be removed now."""
    with contextlib.suppress(OSError):
        begun.path(folder).unlink(missing_ok=True)


def _read(path: Path, run_id: str) -> Begun | None:
    # Whatever is not as it was written says nothing of any run.
    with contextlib.suppress(OSError, orjson.JSONDecodeError, AttributeError, LookupError, TypeError):
        said = orjson.loads(path.read_bytes())
        flags = {name: bool(said.get(name)) for name in ("given_up", "ended")}
        return Begun(run_id=run_id, owner=ProcessIdentity(**said["owner"]), **flags)
    return None
