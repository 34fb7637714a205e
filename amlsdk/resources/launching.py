"""Beginning a supervisor of runs: a detached process on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amlsdk.handing.runs import SUPERVISOR, hand_over, is_adapter
from amlsdk.processes.launching import Detached
from amlsdk.records.runs import RunRecord

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["Detached", "Launch", "launch"]


class Launch(Detached):
    """A supervisor of runs that is starting; hand it a run, or let it go."""

    def __init__(self) -> None:
        super().__init__(SUPERVISOR)

    def hand_over(self, client: Client, target: str) -> RunRecord | None:
        """Claim the oldest queued run of a target for the supervisor and hand it over.

        Returns:
            The run that it drives; None where all slots are taken, so that a run waits for its turn.

        Raises:
            Unavailable: The supervisor did not start; what it said is above, on standard error.
        """
        return hand_over(client.service, client.place, self, target=target)


def launch(client: Client, record: RunRecord) -> None:
    """Begin a supervisor for a queued run, where a slot is free; one that is for an agent waits for that."""
    if record.job is not None and is_adapter(record.job.target):
        with Launch() as starting:
            starting.hand_over(client, record.job.target)
