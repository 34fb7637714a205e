"""Showing how work goes on: its output as it comes, and in a terminal or notebook a line that says where it stands."""

from __future__ import annotations

import codecs
import datetime as dt
import sys
import time
from types import TracebackType
from typing import Any, TextIO

from amlsdk.records.runs import ENDED, RunRecord

__all__ = ["Progress"]

_CLEAR = "\r\x1b[2K"
_EVERY_S = 0.2


class Progress:
    """Writes to a stream; nothing at all where that is None.

    States go to the stream as lines. Between them, a terminal has one passing line and a notebook one display
    that is updated; neither is part of the output.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._status: str | None = None
        self._passing = False
        self._shown_at = 0.0
        self._at_line_start = True
        self._terminal = stream is not None and hasattr(stream, "isatty") and stream.isatty()
        self._display = None if self._terminal else _notebook_display(stream)

    @property
    def shows(self) -> bool:
        """Whether output is wanted."""
        return self._stream is not None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._clear()
            self._stream.flush()

    def show(self, record: RunRecord, content: bytes) -> None:
        """Show what came since the last call."""
        if self._stream is None:
            return
        if content:
            self._write(self._decoder.decode(content))
        if record.status != self._status and not (content and record.status in ENDED):
            self._status = record.status
            self._line(f"[{record.name}] {record.status}{_detail(record)}")
        elif record.status not in ENDED:
            self._pass(f"[{record.name}] {record.status} {_elapsed(record)}")

    def _write(self, text: str) -> None:
        assert self._stream is not None  # noqa: S101  # `show` has looked
        self._clear()
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            # A terminal of another encoding shows what it can.
            encoding = getattr(self._stream, "encoding", None) or "ascii"
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._at_line_start = text.endswith("\n")
        self._stream.flush()

    def _line(self, text: str) -> None:
        self._write(("" if self._at_line_start else "\n") + text + "\n")

    def _pass(self, text: str) -> None:
        if time.monotonic() - self._shown_at < _EVERY_S:
            return
        self._shown_at = time.monotonic()
        if self._display is not None:
            self._display.update({"text/plain": text}, raw=True)
        elif self._terminal and self._at_line_start and self._stream is not None:
            self._stream.write(_CLEAR + text)
            self._stream.flush()
            self._passing = True

    def _clear(self) -> None:
        if self._passing and self._stream is not None:
            self._stream.write(_CLEAR)
            self._passing = False


def _detail(record: RunRecord) -> str:
    if record.status not in ENDED:
        return ""
    error = f": {record.error}" if record.error else ""
    return f" after {_elapsed(record)}{error}"


def _elapsed(record: RunRecord) -> str:
    begun = record.started_at or record.created_at
    seconds = ((record.ended_at or dt.datetime.now(dt.timezone.utc)) - begun).total_seconds()
    return f"{seconds:.1f} s"


def _notebook_display(stream: TextIO | None) -> Any:
    if stream is not sys.stdout or "ipykernel" not in sys.modules:
        return None
    from IPython.display import display

    return display({"text/plain": "..."}, raw=True, display_id=True)
