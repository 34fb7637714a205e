r"""Patterns of `like`: `%` stands for any text, `_` for one character, `\` takes that meaning from the next."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["glob_of", "like_of", "pieces_of"]

_GLOB = {"*": "[*]", "?": "[?]", "[": "[[]"}
_LIKE = {"%": r"\%", "_": r"\_", "\\": r"\\"}


def pieces_of(pattern: str) -> Iterator[tuple[bool, str]]:
    """Yield each character of a pattern, with whether it stands for others."""
    chars = iter(pattern)
    for char in chars:
        if char == "\\":
            # A backslash before nothing, or before what means only itself, is one.
            after = next(chars, "")
            yield from ((False, each) for each in (after if after in _LIKE else char + after))
        else:
            yield char in "%_", char


def glob_of(pattern: str) -> str:
    """Return the pattern for GLOB, which regards case in SQLite as LIKE does in PostgreSQL."""
    wild = {"%": "*", "_": "?"}
    return "".join(wild[char] if stands else _GLOB.get(char, char) for stands, char in pieces_of(pattern))


def like_of(pattern: str) -> str:
    r"""Return the pattern for LIKE, with `\` before all that it would else mistake."""
    return "".join(char if stands else _LIKE.get(char, char) for stands, char in pieces_of(pattern))
