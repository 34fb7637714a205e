"""Send a journal to whoever keeps it, each line exactly once.

The sender says how many bytes it believes are kept already and their digest; the receiver compares both with what it
holds and moves lines and offset in one transaction. So any number of senders may send the same journal, or copies of
it, any number of times.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import attrs

from amlsdk.errors import InvalidArgument, OperationFailed, Unavailable
from amlsdk.journal.digests import PrefixDigest
from amlsdk.journal.entries import read_line
from amlsdk.journal.folder import JournalFile, is_locked, read_from
from amlsdk.journal.pace import Pace
from amlsdk.records.logged import JournalPosition

__all__ = ["CHUNK_BYTES", "Append", "ShipResult", "ship"]

CHUNK_BYTES = 4 << 20
# Where the receiver stands is not known before its first answer, so little is risked on the first guess.
_FIRST_BYTES = 64 << 10
_MOST_REFUSALS = 1000
_END_LINE_BYTES = 4096

Append = Callable[[str, str, int, str, bytes], JournalPosition]


@attrs.frozen(kw_only=True)
class ShipResult:
    """How far a journal is shipped.

    Args:
        prefix: Of the bytes the receiver holds of this file; give it to the next `ship` of the file, which then need
            not begin anew.
        size_bytes: How long the file was.
        ended: Its writer wrote the last line.
        locked: A process was still writing it.
        confirmed: The receiver's last answer was that it holds the same bytes up to `offset`. It need not be asked
            where nothing new was found.
    """

    prefix: PrefixDigest
    size_bytes: int
    ended: bool
    locked: bool
    confirmed: bool

    @property
    def offset(self) -> int:
        """Up to which byte the file is shipped."""
        return self.prefix.offset

    @property
    def complete(self) -> bool:
        """Whether all is shipped and nothing can follow, so that the file may be deleted."""
        return self.confirmed and self.ended and not self.locked and self.offset == self.size_bytes


def ship(path: Path, append: Append, *, prefix: PrefixDigest | None = None, pace: Pace | None = None) -> ShipResult:
    """Send all whole lines that a journal has and the receiver has not. Waits for the receiver.

    Args:
        path: The journal.
        append: Called with run id, writer, offset, digest of all bytes before, and bytes; answers the position.
        prefix: Of the last result for this journal.
        pace: How much is sent at once; it learns from what is sent. By default as much as may be.

    Raises:
        Conflict: The receiver holds a journal of this name that began otherwise.
        Unavailable: From `append`; or other senders are always faster. Ship again later.
        OperationFailed: The receiver's answers make no sense.
        InvalidArgument: The file's name is not that of a journal.
    """
    journal = JournalFile.at(path)
    if journal is None:
        raise InvalidArgument(f"{path} is not a journal: their names are <run id>.<writer>.jsonl")
    # Asked before the end is looked for: a journal that nobody writes any more can't grow behind that look.
    locked = is_locked(path)
    pace = pace or Pace(piece_bytes=CHUNK_BYTES)
    known = prefix is not None
    shipping = _Shipping(journal, append, prefix.copy() if prefix else PrefixDigest(), pace=pace, known=known)
    while shipping.step():
        pass
    size, ended = _end(path)
    if ended and not locked and not shipping.confirmed:
        shipping.send(b"")  # where another sender was faster, the digests were not compared yet
    return ShipResult(prefix=shipping.prefix, size_bytes=size, ended=ended, locked=locked, confirmed=shipping.confirmed)


@attrs.define
class _Shipping:
    journal: JournalFile
    append: Append
    prefix: PrefixDigest
    pace: Pace
    known: bool
    confirmed: bool = False
    refusals: int = 0

    def step(self) -> bool:
        """Send some lines; False where there is nothing more to send."""
        limit = self.pace.piece_bytes if self.known else _FIRST_BYTES
        data = _whole_lines(self.journal.path, self.prefix.offset, limit)
        return bool(data) and self.send(data)

    def send(self, data: bytes) -> bool:
        at = self.prefix.offset
        begun_s = time.monotonic()
        try:
            position = self.append(self.journal.run_id, self.journal.writer, at, self.prefix.hexdigest(), data)
        except Unavailable:
            self.pace.failed()
            raise
        self.pace.passed(time.monotonic() - begun_s)
        self.known, self.confirmed = True, position.accepted
        if not position.accepted:
            return self._seek(position.offset)
        taken = position.offset - at
        if not 0 <= taken <= len(data):
            raise self._nonsense(position)
        self.prefix.update(data[:taken])
        self.refusals = 0
        return taken > 0

    def _seek(self, wanted: int) -> bool:
        """Go to the offset that the receiver wants; False where this file does not reach so far."""
        self.refusals += 1
        if wanted < 0 or wanted == self.prefix.offset:
            raise self._nonsense(JournalPosition(offset=wanted, accepted=False))
        if self.refusals > _MOST_REFUSALS:
            raise Unavailable(
                f"{self.journal.path} was refused {self.refusals} times, as others ship it too; ship it later"
            )
        prefix = self.prefix if wanted > self.prefix.offset else PrefixDigest()
        prefix = prefix.copy()
        while prefix.offset < wanted:
            data = read_from(self.journal.path, prefix.offset, min(CHUNK_BYTES, wanted - prefix.offset))
            if not data:
                return False  # this is a copy made earlier: whoever shipped the rest has more of it
            prefix.update(data)
        self.prefix = prefix
        return True

    def _nonsense(self, position: JournalPosition) -> OperationFailed:
        return OperationFailed(
            f"{self.journal.path} was sent from offset {self.prefix.offset} and the receiver answered {position}; "
            "it does not follow the rules of AppendJournal"
        )


def _whole_lines(path: Path, offset: int, limit: int) -> bytes:
    data = read_from(path, offset, limit)
    end = data.rfind(b"\n") + 1
    if not end and limit < CHUNK_BYTES and len(data) == limit:
        return _whole_lines(path, offset, CHUNK_BYTES)
    # Bytes without any newline that fill a whole chunk are no line; the receiver sets them aside.
    return data if not end and len(data) == limit else data[:end]


def _end(path: Path) -> tuple[int, bool]:
    """Return the size of a journal, and whether it ends in its writer's last line."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0, False
    tail = read_from(path, max(0, size - _END_LINE_BYTES), min(size, _END_LINE_BYTES))
    last = tail[tail.rfind(b"\n", 0, -1) + 1 :]
    members = read_line(last[:-1]) if last.endswith(b"\n") else ""
    return size, isinstance(members, dict) and members["k"] == "end"
