"""Output as it comes, cut into lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

__all__ = ["READ_BYTES", "Lines", "lines_of"]

# How much of an output is read at once.
READ_BYTES = 1 << 20
_LONGEST_LINE = 1 << 20
# Bytes of UTF-8 that go on with a character.
_CONTINUING = range(0x80, 0xC0)


def lines_of(look: Callable[[int], tuple[bytes, bool]]) -> Iterator[str]:
    """Iterate over lines of text; bytes that are not UTF-8 become U+FFFD.

    A line of more than 1 MiB comes in parts of about that size, so that no output fills the memory.

    Args:
        look: Given a position, returns the bytes from there on, at most `READ_BYTES`, and whether more may come.
    """
    after, lines = 0, Lines()
    while True:
        content, goes_on = look(after)
        after += len(content)
        yield from lines.take(content)
        if len(content) < READ_BYTES and not goes_on:
            break
    yield from lines.rest()


class Lines:
    """Bytes as they come, cut into lines; never more than the longest one and a read are held."""

    def __init__(self) -> None:
        self._begun = b""

    def take(self, content: bytes) -> Iterator[str]:
        """Yield the lines that end in these bytes, and parts of one that is too long to wait for its end."""
        *whole, last = (self._begun + content).split(b"\n")
        for line in whole:
            yield from (part.decode(errors="replace") for part in _parts(line))
        *parts, self._begun = _parts(last)
        yield from (part.decode(errors="replace") for part in parts)

    def rest(self) -> Iterator[str]:
        """Yield the last line, where it has no end."""
        if self._begun:
            yield self._begun.decode(errors="replace")


def _parts(line: bytes) -> Iterator[bytes]:
    begin = 0
    while len(line) - begin > _LONGEST_LINE:
        end = _character_at(line, begin + _LONGEST_LINE)
        yield line[begin:end]
        begin = end
    yield line[begin:]


def _character_at(line: bytes, at: int) -> int:
    """Return where the UTF-8 character begins that a byte belongs to; the byte itself where it is part of none."""
    starts = (place for place in range(at, at - 4, -1) if line[place] not in _CONTINUING)
    return next(starts, at)
