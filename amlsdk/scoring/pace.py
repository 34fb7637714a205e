"""How long calls of `run` take, to tell where the next one is best made."""

from __future__ import annotations

__all__ = ["INLINE_S", "Pace"]

# A hop to another thread and back was measured at 60 us of processor time and 120 us of waiting, as much as a small
# model's call itself: short calls are made in the event loop. One that holds the loop for longer than this delays
# health checks and timeouts too much.
INLINE_S = 0.02


class Pace:
    """What calls took of late, by row."""

    def __init__(self) -> None:
        self._call_s = 0.0
        self._rows = 1

    def saw(self, rows: int, seconds: float) -> None:
        """Remember a call."""
        self._rows = max(rows, 1)
        # A slow one counts at once, and is forgotten by and by: ten quick ones outweigh it.
        self._call_s = max(seconds, self._call_s * 0.8 + seconds * 0.2)

    def is_short(self, rows: int) -> bool:
        """Return whether a call with so many rows is expected to take less than `INLINE_S`."""
        return self._call_s * max(1.0, rows / self._rows) < INLINE_S
