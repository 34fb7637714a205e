"""Showing how a run goes on: its output as it comes, and a passing line that says where it stands."""

from __future__ import annotations

import codecs
import datetime as dt
from types import TracebackType
from typing import TextIO

from amlsdk.records.runs import ENDED, RunRecord
from amlsdk.resources.passing import PassingLine

__all__ = ["Progress"]


class Progress:
    """Writes output and states to a stream, as lines; where that is None, only the passing line is shown.

    Args:
        stream: Where to, or None.
        passing: Whether a terminal or notebook has a line between those, which is no part of the output.
    """

    def __init__(self, stream: TextIO | None, *, passing: bool = True) -> None:
        self._stream = stream
        self._passing = PassingLine(stream, wanted=passing)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._status: str | None = None
        self._at_line_start = True

    @property
    def shows(self) -> bool:
        """Whether output is wanted."""
        return self._stream is not None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._passing.clear()
        if self._stream is not None:
            self._stream.flush()

    def show(self, record: RunRecord, content: bytes) -> None:
        """Show what came since the last call."""
        if record.status in ENDED:
            # The end is said once the output has come to its own, where half a character is shown as what it is.
            self._write(self._decoder.decode(content, final=not content))
            if not content:
                self._enter(record)
            return
        self._enter(record)
        self._write(self._decoder.decode(content))
        if self._at_line_start:
            self._passing.show(f"[{record.name}] {record.status} {_elapsed(record)}")

    def _enter(self, record: RunRecord) -> None:
        if record.status != self._status:
            self._status = record.status
            self._write(("" if self._at_line_start else "\n") + f"[{record.name}] {record.status}{_detail(record)}\n")

    def _write(self, text: str) -> None:
        if self._stream is None or not text:
            return
        self._passing.clear()
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            # A terminal of another encoding shows what it can.
            encoding = getattr(self._stream, "encoding", None) or "ascii"
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._at_line_start = text.endswith("\n")
        self._stream.flush()


def _detail(record: RunRecord) -> str:
    if record.status not in ENDED:
        return ""
    # The rest of it, a traceback, stands in the output above.
    error = f": {record.error.splitlines()[0]}" if record.error else ""
    return f" after {_elapsed(record)}{error}"


def _elapsed(record: RunRecord) -> str:
    begun = record.started_at or record.created_at
    seconds = ((record.ended_at or dt.datetime.now(dt.timezone.utc)) - begun).total_seconds()
    return f"{seconds:.1f} s"
