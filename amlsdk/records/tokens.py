"""The form of a token: `aml_`, its id, `_`, and 256 random bits in base64url (RFC 4648, section 5).

Whoever makes a token keeps it and tells the service its digest only, so that no reply, log or backup ever holds one.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from amlsdk.records.ids import new_id

__all__ = ["digest_of_token", "id_of_token", "new_token"]

_FORM = re.compile(r"aml_([0-7][0-9abcdefghjkmnpqrstvwxyz]{25})_[A-Za-z0-9_-]{43,128}")
_SECRET_BYTES = 32


def new_token() -> str:
    """Return a new token."""
    return f"aml_{new_id()}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def id_of_token(token: str) -> str | None:
    """Return the id in a token; None where it has not the form of one."""
    match = _FORM.fullmatch(token)
    return match[1] if match else None


def digest_of_token(token: str) -> str:
    """Return what a service keeps of a token; it is as hard to guess as the token is."""
    return hashlib.sha256(token.encode()).hexdigest()
