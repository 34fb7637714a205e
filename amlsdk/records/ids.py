"""Ids that sort by time and are made by whoever creates the thing, so that every create may be retried.

The form is that of a ULID (48 bits of Unix milliseconds, 80 random bits, Crockford's base 32), in lower case.
"""

from __future__ import annotations

import os
import re
import time

__all__ = ["is_id", "new_id"]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_FORM = re.compile(r"[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}")


def new_id() -> str:
    """Return a new id of 26 characters; later ones sort after earlier ones, to the millisecond."""
    number = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def is_id(text: str) -> bool:
    """Say whether a text has the form of an id (a name may not)."""
    return _FORM.fullmatch(text) is not None
