"""What a push says before its pack: one line for each reference (gitprotocol-pack(5), gitprotocol-common(5))."""

from __future__ import annotations

from amlsdk.errors import InvalidArgument

__all__ = ["Commands"]

_DIGITS = 4
_END = 0


class Commands:
    """Counts the commands of a push, which git holds in memory, up to where the pack begins.

    Args:
        most: How many bytes they may have.
    """

    def __init__(self, *, most: int) -> None:
        self._most, self._seen = most, 0
        self._waiting = b""
        self._skip = 0
        self._done = False

    def take(self, piece: bytes) -> None:
        """Look at the next bytes of a push.

        Raises:
            InvalidArgument: There are too many commands, or these are none.
        """
        if self._done:
            return
        self._seen += len(piece)
        self._read(self._waiting + piece)
        if not self._done and self._seen > self._most:
            raise InvalidArgument(f"the commands of a push have at most {self._most} bytes; push fewer references")

    def _read(self, content: bytes) -> None:
        at = self._skip
        while at + _DIGITS <= len(content):
            try:
                size = int(content[at : at + _DIGITS], 16)
            except ValueError as error:
                raise InvalidArgument("what was pushed does not begin with git's commands") from error
            if size == _END:
                self._done, self._waiting = True, b""
                return
            at += max(size, _DIGITS)
        self._waiting = content[at:]
        self._skip = max(0, at - len(content))
