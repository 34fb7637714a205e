"""Values of secrets replaced by `***` in what a script prints."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

__all__ = ["LEAST_MASKED", "MASK", "Mask", "MaskedStream"]

MASK = b"***"
# Shorter ones would be found everywhere, and tell where they are by what is masked.
LEAST_MASKED = 4
# What is looked for beside the value itself; shorter ones are found by chance.
_LEAST_PART = 8
_FIRST = 8


class Mask:
    """What is looked for: values of 4 characters or more, each of their lines, and how these are often written.

    Found are a value as it is, in JSON, in Python's `repr`, in a URL and in base64 (also as a part of something
    longer). What a script changes in any other way is not found.

    Args:
        values: Of the secrets.
    """

    def __init__(self, values: Iterable[str]) -> None:
        parts = {part for value in values for part in _forms(value)}
        self.parts: tuple[bytes, ...] = tuple(sorted(parts, key=lambda part: (-len(part), part)))

    def text(self, text: str) -> str:
        """Return a text without them."""
        if not self.parts:
            return text
        stream = MaskedStream(self)
        masked = stream.feed(text.encode(errors="surrogateescape")) + stream.finish()
        return masked.decode(errors="surrogateescape")

    def spans(self, content: bytes) -> list[tuple[int, int]]:
        """Return where they are, each with its end; overlapping ones as one, in order."""
        found = sorted(span for part in self.parts for span in _places(part, content))
        merged: list[tuple[int, int]] = []
        for begin, end in found:
            if merged and begin < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        return merged

    def undecided(self, content: bytes) -> int:
        """Return from where on the end of some content may be the beginning of one of them."""
        return min((_beginning(part, content) for part in self.parts), default=len(content))


class MaskedStream:
    """Masks content that comes in pieces; what comes out does not depend on where it was cut.

    Args:
        mask: What is looked for.
    """

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held = b""
        # So many bytes of what is held belong to something that was masked already.
        self._covered = 0

    def feed(self, piece: bytes) -> bytes:
        """Return what can be shown by now; as much as may be the beginning of a secret is held back."""
        content = self._held + piece
        return self._take(content, self._mask.undecided(content))

    def finish(self) -> bytes:
        """Return what was held back, once nothing more comes."""
        return self._take(self._held, len(self._held))

    def _take(self, content: bytes, until: int) -> bytes:
        shown: list[bytes] = []
        at = covered = 0
        for begin, end in self._spans(content):
            if begin >= until and begin >= self._covered:
                break
            if begin > 0 or not self._covered:
                shown += (content[at:begin], MASK)
            at = covered = end
        if at < until:
            shown.append(content[at:until])
        self._held, self._covered = content[until:], max(0, covered - until)
        return b"".join(shown)

    def _spans(self, content: bytes) -> list[tuple[int, int]]:
        found = self._mask.spans(content)
        if not self._covered:
            return found
        # What was masked at the last cut may overlap what is found now, and is then one with it.
        end = self._covered
        while found and found[0][0] < end:
            end = max(end, found.pop(0)[1])
        return [(0, end), *found]


def _forms(value: str) -> set[bytes]:
    if len(value) < LEAST_MASKED:
        return set()
    lines = {line for line in value.splitlines() if len(line.strip()) >= _LEAST_PART}
    written = {form.encode() for text in {value, *lines} for form in _written(text)}
    return written | _in_base64(value.encode())


def _written(text: str) -> set[str]:
    """Return how a text is written as it is, by JSON, by `repr` and in a URL."""
    shown = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
    return shown | {quote(text, safe=""), quote(text), quote_plus(text)}


def _in_base64(value: bytes) -> set[bytes]:
    """Return the value in base64, alone and within something longer, where it begins at any of three places."""
    found: set[bytes] = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # Characters that also depend on what stands before or behind are left out.
            text = encode(bytes(before) + value)[-(-before * 8 // 6) :]
            at_the_end = text.rstrip(b"=")
            found |= {text, at_the_end, at_the_end if (before + len(value)) % 3 == 0 else at_the_end[:-1]}
    return {form for form in found if len(form) >= _LEAST_PART}


def _places(part: bytes, content: bytes) -> Iterable[tuple[int, int]]:
    at = content.find(part)
    while at >= 0:
        yield at, at + len(part)
        at = content.find(part, at + 1)


def _beginning(part: bytes, content: bytes) -> int:
    """Return where the longest end of some content begins that is a beginning of a part, but not all of it."""
    size = len(content)
    at = max(0, size - len(part) + 1)
    first = part[:_FIRST]
    while (at := content.find(first, at)) >= 0:
        if part.startswith(content[at:]):
            return at
        at += 1
    lengths = range(min(_FIRST, len(part), size + 1) - 1, 0, -1)
    return size - next((length for length in lengths if content.endswith(part[:length])), 0)
