"""Text from arguments and file names that are not UTF-8."""

from __future__ import annotations

import re

__all__ = ["printable"]

# Bytes that are no UTF-8 arrive as lone surrogates (PEP 383), which JSON and databases refuse.
_SURROGATES = re.compile("[\ud800-\udfff]")


def printable(text: str) -> str:
    """Return a text that UTF-8 can carry: what it can't is replaced by U+FFFD."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)
