"""Make `workspace-0004.sqlite`: a small catalogue with the schema of revision 0004, by the handlers of that time.

It is run with the code of commit 7b6d387, checked out into a folder of its own:

    git worktree add FOLDER 7b6d387
    PYTHONPATH=FOLDER:FOLDER/tests/contract python tests/data/make_workspace_0004.py tests/data/workspace-0004.sqlite
"""

import sqlite3
import sys
import tempfile
from pathlib import Path

import attrs
from making import build_image, make_deployment, make_experiment, make_manifest, make_model, make_run

from amlsdk.journal.writer import JournalWriter
from amlsdk.local import LocalBackend
from amlsdk.operations.runs import GetRun
from amlsdk.storage.catalogue import migrating


def make(path: Path) -> None:
    """Write the catalogue."""
    assert migrating.HEAD == "0004", "this is run with the code of that time: see above"
    with tempfile.TemporaryDirectory() as folder:
        backend = LocalBackend(Path(folder) / "old")
        fill(backend.open(), backend.folder / "journals")
        backend.close()
        with sqlite3.connect(backend.folder / "catalogue.sqlite") as catalogue:
            # Most pages of so few rows would be empty space.
            catalogue.executescript("PRAGMA journal_mode=DELETE; PRAGMA page_size=512; VACUUM;")
        path.write_bytes((backend.folder / "catalogue.sqlite").read_bytes())


def fill(service, journals: Path) -> None:
    """Leave a run, a model, a manifest, an image and a deployment."""
    run = make_run(service, make_experiment(service), name="old run", params={"depth": "4"}, tags={"owner": "ada"})
    writer = JournalWriter(journals, run.id)
    for loss in (1.0, 0.5, 0.25):
        writer.metric("loss", loss)
    writer.status("Completed")
    writer.close()
    assert service.send(GetRun(run_id=run.id)).status == "Completed"
    manifest = make_manifest(service, make_model(service, run_id=run.id, description="the old one"))
    deployed = make_deployment(service, build_image(service, manifest))
    assert attrs.asdict(deployed)["status"] == "Creating"


if __name__ == "__main__":
    make(Path(sys.argv[1]))
