"""Where this machine keeps what is meant for a service."""

from __future__ import annotations

import hashlib

from amlsdk.places import home
from amlsdk.service import Spool

__all__ = ["spool_of"]


def spool_of(location: str) -> Spool:
    """Return where this machine keeps what runs of a service write until the service has it."""
    folder = home() / "spool" / hashlib.sha256(location.encode()).hexdigest()[:32]
    return Spool(journals=folder / "journals", runs=folder / "runs", shipped=True)
