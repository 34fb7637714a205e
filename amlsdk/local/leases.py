"""Who holds a run, and for how long without a sign of life."""

from __future__ import annotations

from typing import Any

import orjson

from amlsdk.errors import Conflict
from amlsdk.records.jobs import ProcessIdentity
from amlsdk.storage.catalogue.runs import owner_of
from amlsdk.storage.catalogue.times import now_us

__all__ = ["LEASE_S", "lease_end", "owner_text", "refuse_others", "shown"]

LEASE_S = 30.0


def lease_end() -> int:
    """Return when a lease that begins now ends, by this machine's clock."""
    return now_us() + int(LEASE_S * 1_000_000)


def owner_text(identity: ProcessIdentity) -> str:
    """Return an identity as the catalogue keeps it; equal ones are equal texts."""
    fields = {"host": identity.host, "boot_id": identity.boot_id, "pid": identity.pid, "started": identity.started}
    return orjson.dumps(fields).decode()


def refuse_others(row: Any, supervisor: ProcessIdentity, *, what: str = "run") -> None:
    """See that a run, a build or a deployment is held by who says so.

    Raises:
        Conflict: Nobody holds it, or somebody else does.
    """
    if row.owner is None:
        raise Conflict(f"{what} {row.id} is held by nobody; claim it first")
    if row.owner != owner_text(supervisor):
        raise Conflict(f"{what} {row.id} is held by {shown(row.owner)}, not by {shown(owner_text(supervisor))}")


def shown(owner: str) -> str:
    """Return an owner in words."""
    identity = owner_of(owner)
    return f"process {identity.pid} on {identity.host}" if identity else "nobody"
