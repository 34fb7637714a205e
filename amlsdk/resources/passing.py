"""One line that says where work stands and passes: rewritten in place in a terminal, one display in a notebook."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, TextIO

__all__ = ["PassingLine"]

_CLEAR = "\r\x1b[2K"
_EVERY_S = 0.2
_WIDTH = 100


class PassingLine:
    """Shows its text where a person looks on, at most five times a second, and takes it away at the end.

    Args:
        stream: Where other text goes, which the line stands below. None where there is none: the line is then on
            standard error.
        wanted: Whether it is shown at all.
    """

    def __init__(self, stream: TextIO | None, *, wanted: bool = True) -> None:
        place = sys.stderr if stream is None else stream
        self._terminal = place if wanted and _is_terminal(place) else None
        self._in_notebook = wanted and self._terminal is None and stream in (None, sys.stdout) and _in_notebook()
        self._display: Any = None
        self._stands = False
        # What is over sooner than this needs no line.
        self._shown_at = time.monotonic()

    def __enter__(self) -> PassingLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
        if self._display is not None:
            self._display.update({"text/plain": ""}, raw=True)

    @property
    def is_shown(self) -> bool:
        """Whether anybody sees it, so that its text is worth making."""
        return self._terminal is not None or self._in_notebook

    def show(self, text: str) -> None:
        """Show a text in place of the last one."""
        if time.monotonic() - self._shown_at < _EVERY_S:
            return
        self._shown_at = time.monotonic()
        if self._terminal is not None:
            self._terminal.write(_CLEAR + text[:_WIDTH])
            self._terminal.flush()
            self._stands = True
        elif self._in_notebook:
            self._update(text)

    def clear(self) -> None:
        """Take the line of a terminal away, so that other text can follow; in a notebook none is in the way."""
        if self._stands and self._terminal is not None:
            self._terminal.write(_CLEAR)
            self._terminal.flush()
            self._stands = False

    def _update(self, text: str) -> None:
        content = {"text/plain": text}
        if self._display is None:
            from IPython.display import display

            self._display = display(content, raw=True, display_id=True)
        else:
            self._display.update(content, raw=True)


def _is_terminal(stream: Any) -> bool:
    # An embedding program may have put anything in place of the standard streams, or nothing.
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules and "IPython" in sys.modules
