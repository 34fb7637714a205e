"""Pages of lists: how many items one has, and the token that says after which item the next begins."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Sequence
from typing import Any

from amlsdk.errors import InvalidArgument

__all__ = ["MAX_LIMIT", "decode_token", "encode_token", "page_limit"]

MAX_LIMIT = 10_000
_CHECK_BYTES = 4
_INT64 = 1 << 63


def page_limit(limit: int) -> int:
    """Return how many items a page may have.

    Raises:
        InvalidArgument: Not 1 to 10 000.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidArgument(f"a page has 1 to {MAX_LIMIT} items, not {limit}; read on with its next_token")
    return limit


def encode_token(keys: Sequence[Any]) -> str:
    """Return the token of the last item of a page.

    Args:
        keys: What the list is ordered by: texts, 64-bit integers, floats (also infinite ones) and None.
    """
    # The standard JSON writer, because the fast ones turn infinity into null.
    content = json.dumps(list(keys), separators=(",", ":")).encode()
    return _token(content)


def decode_token(text: str, count: int) -> list[Any]:
    """Return the keys of a token.

    Args:
        text: What a page gave as its next_token.
        count: How many keys the list is ordered by.

    Raises:
        InvalidArgument: It was damaged, or belongs to another list.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        keys = json.loads(raw[_CHECK_BYTES:])
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _damaged(text) from error
    # Writing it again refuses other spellings of the same bytes too.
    if (
        _token(raw[_CHECK_BYTES:]) != text
        or not isinstance(keys, list)
        or len(keys) != count
        or not all(map(_is_key, keys))
    ):
        raise _damaged(text)
    return keys


def _token(content: bytes) -> str:
    check = zlib.crc32(content).to_bytes(_CHECK_BYTES, "little")
    return base64.urlsafe_b64encode(check + content).decode().rstrip("=")


def _is_key(key: Any) -> bool:
    if isinstance(key, int):
        return -_INT64 <= key < _INT64
    return key is None or isinstance(key, (str, float))


def _damaged(text: str) -> InvalidArgument:
    return InvalidArgument(
        f"{text[:80]!r} is no token of this list: give the next_token of the page before, unchanged, or none"
    )
