"""The road back from a run to the code and the data behind it, through every run whose outputs it read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from amlsdk.errors import NotFound
from amlsdk.operations.runs import GetRun, ListRunInputs
from amlsdk.resources.paging import all_items

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["lineage_of_run"]


def lineage_of_run(client: Client, run_id: str) -> dict[str, Any]:
    """Return what a run came from: its snapshot, its inputs, and the same of each run that made one of them."""
    return _Walk(client).run(run_id)


@attrs.frozen
class _Walk:
    client: Client
    # Many inputs may come from one run: it is asked for once, and stands wherever it belongs.
    known: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    # What is on the way now: only an edited journal can name a run as its own source, and that ends here.
    followed: list[str] = attrs.field(factory=list)

    def run(self, run_id: str) -> dict[str, Any]:
        if run_id in self.known:
            return self.known[run_id]
        record = self.client.send(GetRun(run_id=run_id))
        lineage: dict[str, Any] = {
            "run": {"id": record.id, "name": record.name},
            "snapshot": None if record.job is None else {"digest": record.job.snapshot},
        }
        if run_id in self.followed:
            return lineage
        self.followed.append(run_id)
        lineage["inputs"] = self.inputs(run_id)
        self.followed.pop()
        self.known[run_id] = lineage
        return lineage

    def inputs(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for record in all_items(self.client, ListRunInputs(run_id=run_id)):
            found[record.name] = {"digest": record.digest, "source": record.source}
            if record.source_run_id is not None:
                found[record.name] |= {"from": self.source(record.source_run_id)}
        return found

    def source(self, run_id: str) -> dict[str, Any]:
        try:
            return self.run(run_id)
        except NotFound:
            # A journal may name a run of another workspace.
            return {"run": {"id": run_id}}
