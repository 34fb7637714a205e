"""What a client gives a supervisor: a claimed run, and where the workspace is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import attrs

from amlsdk.handing.credentials import Credential
from amlsdk.records.jobs import JobSpec

__all__ = ["Handover", "now"]


@attrs.frozen(kw_only=True)
class Handover:
    """A run to drive.

    Args:
        run_id: Of the claimed run.
        name: Of the run.
        job: What to execute.
        location: Of the workspace: a folder or a URL.
        credential: What is shown to a service.
        blobs: Folder of the blob store where it is on this machine.
        runs: Folder of the runs' own folders.
        journals: Folder of the journals.
        shipped: Whether journals and output are to be sent to a service.
    """

    run_id: str
    name: str
    job: JobSpec
    location: str
    runs: Path
    journals: Path
    shipped: bool
    blobs: Path | None = None
    credential: Credential = attrs.field(factory=lambda: Credential(None))

    @classmethod
    def of(cls, message: dict[str, Any]) -> Handover:
        """Read what a client sent."""
        claimed = message["claimed"]
        # By hand: the converter of records takes longer to load than the script may wait.
        job = claimed["job"]
        known = {field.name for field in attrs.fields(JobSpec)}
        spec = JobSpec(
            **{key: value for key, value in job.items() if key in known} | {"arguments": tuple(job["arguments"])}
        )
        blobs = message["blobs"]
        return cls(
            run_id=claimed["id"],
            name=claimed["name"],
            job=spec,
            location=message["location"],
            credential=Credential.of(message),
            blobs=None if blobs is None else Path(blobs),
            runs=Path(message["runs"]),
            journals=Path(message["journals"]),
            shipped=message["shipped"],
        )

    @property
    def folder(self) -> Path:
        """The run's own folder on this machine."""
        return self.runs / self.run_id


def now() -> dt.datetime:
    """Return the time (UTC)."""
    return dt.datetime.now(dt.timezone.utc)
