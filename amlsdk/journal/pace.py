"""How much of a journal is sent at once."""

from __future__ import annotations

import attrs

__all__ = ["Pace"]

_LEAST_BYTES = 64 << 10
_MOST_BYTES = 4 << 20
_FAST_S, _SLOW_S = 0.5, 2.0


@attrs.define
class Pace:
    """As much as passes in about a second: less means more requests, more means more that is sent again in vain.

    Args:
        piece_bytes: How much is sent next.
    """

    piece_bytes: int = 512 << 10

    def passed(self, took_s: float) -> None:
        """Note how long a piece took."""
        if took_s < _FAST_S:
            self.piece_bytes = min(2 * self.piece_bytes, _MOST_BYTES)
        elif took_s > _SLOW_S:
            self.failed()

    def failed(self) -> None:
        """Note that a piece was not answered."""
        self.piece_bytes = max(self.piece_bytes // 2, _LEAST_BYTES)
