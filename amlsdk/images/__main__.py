"""`python -m amlsdk.images`: begun by a client that does not wait for the build."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

from amlsdk.processes.beginning import hear, say_identity
from amlsdk.processes.detaching import let_go_of_streams


def main() -> None:
    """Say who this is, hear which image to build, and build it."""
    if not say_identity():
        return
    message = hear()
    if message is None:
        return
    # What goes wrong before there is a build log; empty, as a rule.
    log = Path(message["runs"]).parent / "logs" / f"{message['image_id']}.builder.log"
    with contextlib.suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
    let_go_of_streams(os.fspath(log))
    signal.signal(signal.SIGTERM, _interrupt)
    with contextlib.suppress(KeyboardInterrupt):
        build(message)
    with contextlib.suppress(OSError):
        if log.stat().st_size == 0:
            log.unlink()


def build(message: dict[str, Any]) -> None:
    """Build the image that a message names, in the workspace that it describes."""
    from amlsdk.handing.credentials import Credential
    from amlsdk.images.driving import drive
    from amlsdk.operations.images import GetImage
    from amlsdk.places import Place, open_backend
    from amlsdk.storage.blobs.folder import FolderBlobStore
    from amlsdk.storage.blobs.through_service import ServiceBlobs

    place, credential = Place.of(message), Credential.of(message)
    backend = open_backend(place.location, token=credential.source)
    try:
        service = backend.open()
        local = place.spool.blobs
        blobs = ServiceBlobs(service) if local is None else FolderBlobStore(local)
        drive(service, blobs, place.spool, service.send(GetImage(image_id=message["image_id"])))
    finally:
        credential.end(backend.open())
        backend.close()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
