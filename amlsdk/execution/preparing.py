"""From a claimed run to a working folder and an environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from amlsdk.execution.handover import Handover
from amlsdk.execution.targets.base import Work
from amlsdk.filesets.blobs import Blobs
from amlsdk.filesets.checkout import checkout
from amlsdk.filesets.listing import load_record
from amlsdk.records.filesets import FileSetRecord
from amlsdk.records.jobs import input_variable

__all__ = ["prepare"]


def prepare(handover: Handover, tree: FileSetRecord, blobs: Blobs, *, secrets: Mapping[str, str], output: Path) -> Work:
    """Write the snapshot and the inputs out, and say how the script is to be run.

    Copies are reflinks where the file system has them and copies where not, never hard links: a script that
    writes to its files would write into the store.

    Args:
        handover: The run.
        tree: Its snapshot.
        blobs: Where that is.
        secrets: Values by environment variable.
        output: What the script is to print to.

    Raises:
        AmlError: A blob is missing or damaged, or the disk refuses.
    """
    folder = handover.folder / "work"
    checkout(tree, blobs, folder, overwrite=True)
    (folder / "outputs").mkdir(exist_ok=True)
    environment = {
        **_inherited(),
        **handover.job.environment_variables,
        **secrets,
        **_own_variables(handover, folder),
        **{input_variable(name): _input(handover, blobs, name) for name in handover.job.inputs},
    }
    return Work(
        run_id=handover.run_id,
        job=handover.job,
        folder=folder,
        environment=environment,
        output=output,
    )


def _inherited() -> dict[str, str]:
    # A run may submit another one, which has inputs of its own.
    return {name: value for name, value in os.environ.items() if not name.startswith("AMLSDK_INPUT_")}


def _own_variables(handover: Handover, folder: Path) -> dict[str, str]:
    # Renewed as it is, so that it opens the service for as long as the script runs.
    credential = {"AMLSDK_TOKEN": handover.credential.text} if handover.credential.text else {}
    # What the script submits on its own is not given its secrets by chance.
    secret = {"AMLSDK_SECRETS": ",".join(handover.job.secrets)} if handover.job.secrets else {}
    return {
        "AMLSDK_RUN_ID": handover.run_id,
        # On the same machine and for the same user, a folder is reached as it is.
        "AMLSDK_SERVICE_URL": handover.location,
        "AMLSDK_JOURNALS": str(handover.journals),
        "AMLSDK_OUTPUTS": str(folder / "outputs"),
        "PYTHONUNBUFFERED": "1",
        **credential,
        **secret,
    }


def _input(handover: Handover, blobs: Blobs, name: str) -> str:
    record = load_record(handover.job.inputs[name], blobs)
    # The place is made of the digest: a name may have characters that no path can.
    folder = handover.folder / "inputs" / record.digest[:32]
    checkout(record, blobs, folder, overwrite=True)
    file = handover.job.input_files.get(name)
    return str(folder if file is None else folder / file)
