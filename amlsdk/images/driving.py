"""One build from its record to its end, whatever happens on the way."""

from __future__ import annotations

import logging
import time

from amlsdk import plugins
from amlsdk.errors import AmlError, Unavailable
from amlsdk.filesets.blobs import Blobs
from amlsdk.images.base import Builder, BuildWork, BuiltImage, Cancelled
from amlsdk.images.buildlog import BuildLog
from amlsdk.images.lineage import lineage_of
from amlsdk.images.pulse import Pulse
from amlsdk.operations.filesets import CreateFileSet, GetFileSet
from amlsdk.operations.images import EndImage
from amlsdk.operations.manifests import GetManifest
from amlsdk.processes import this_process
from amlsdk.records.filesets import FileSetRecord
from amlsdk.records.images import ImageRecord, ImageStatus
from amlsdk.service import Service, Spool

__all__ = ["drive"]

_LOGGER = logging.getLogger("amlsdk")
_TRIES_S = (0.2, 1.0, 5.0, 15.0, 30.0)
_MEGABYTE = 1_000_000


def drive(service: Service, blobs: Blobs, spool: Spool, image: ImageRecord) -> ImageRecord:
    """Build an image that was recorded with this process as its owner, and enter the end. Waits for it.

    Args:
        service: Where it is recorded.
        blobs: Of the same workspace.
        spool: Of the client: the log and the cache are there.
        image: Its record.

    Returns:
        The record after the end: Completed, Failed or Canceled. A build that fails raises nothing.

    Raises:
        KeyboardInterrupt: It was interrupted, and is Canceled.
        AmlError: The end could not be entered.
    """
    request = _end(image, ImageStatus.FAILED, "nothing was built")
    try:
        log = BuildLog(spool, image.id)
    except Unavailable as error:
        return _enter(service, _end(image, ImageStatus.FAILED, str(error)))
    try:
        with Pulse(service, image.id, log) as pulse:
            request = _attempt(service, blobs, spool, image, log, pulse)
    except KeyboardInterrupt:
        log.say("canceled: interrupted")
        request = _end(image, ImageStatus.CANCELED, "interrupted")
        raise
    finally:
        # Before the end is entered: who waits for the end reads the whole log.
        log.close(service)
        ended = _enter(service, request)
    return ended


def _attempt(service: Service, blobs: Blobs, spool: Spool, image: ImageRecord, log: BuildLog, pulse: Pulse) -> EndImage:
    begun_s = time.monotonic()
    try:
        built = _build(service, blobs, spool, image, log, pulse)
    except Cancelled as reason:
        log.say(f"canceled at {pulse.current!r}: {reason}")
        return _end(image, ImageStatus.CANCELED, str(reason))
    except AmlError as error:
        return _failed(image, log, pulse, str(error))
    except Exception as error:
        # A builder may be a third party's.
        _LOGGER.exception("image %s can't be built", image.id)
        return _failed(image, log, pulse, f"{type(error).__name__}: {error}")
    log.say(
        f"built sha256:{built.digest} for {built.platform} in {time.monotonic() - begun_s:.2f} s: "
        f"{built.files.size_bytes / _MEGABYTE:.1f} MB stored, "
        f"{sum(layer.unpacked_bytes for layer in built.layers) / _MEGABYTE:.1f} MB unpacked"
    )
    return EndImage(
        image_id=image.id,
        owner=this_process(),
        status=ImageStatus.COMPLETED,
        digest=built.digest,
        files=built.files.digest,
        layers=built.layers,
        platform=built.platform,
        python=built.python,
    )


def _build(service: Service, blobs: Blobs, spool: Spool, image: ImageRecord, log: BuildLog, pulse: Pulse) -> BuiltImage:
    pulse.step("reading the manifest")
    manifest = service.send(GetManifest(manifest_id=image.manifest_id))
    log.say(f"building {image.name!r} version {image.version} of {manifest.name!r} version {manifest.version}")
    builder: Builder = plugins.load("amlsdk.builders", image.builder)()
    builder.check(manifest, image.base)

    def fileset(digest: str) -> FileSetRecord:
        return service.send(GetFileSet(digest=digest))

    def keep(record: FileSetRecord) -> None:
        service.send(CreateFileSet(entries=record.entries))

    return builder.build(
        BuildWork(
            manifest=manifest,
            image=image,
            base=image.base,
            blobs=blobs,
            fileset=fileset,
            keep=keep,
            lineage=lineage_of(service, manifest),
            cache=spool.cache,
            say=log.say,
            step=pulse.step,
        )
    )


def _failed(image: ImageRecord, log: BuildLog, pulse: Pulse, why: str) -> EndImage:
    reason = f"the step {pulse.current!r} failed: {why}"
    log.say(reason)
    return _end(image, ImageStatus.FAILED, reason)


def _end(image: ImageRecord, status: str, reason: str) -> EndImage:
    # Names of files may have bytes that a record can't have.
    clean = reason.encode(errors="replace").decode().replace("\0", "")[:8192]
    return EndImage(image_id=image.id, owner=this_process(), status=status, error=clean)


def _enter(service: Service, request: EndImage) -> ImageRecord:
    for pause in _TRIES_S:
        try:
            return service.send(request)
        except Unavailable as error:
            _LOGGER.warning("image %s: its end is entered again in %g s: %s", request.image_id, pause, error)
        time.sleep(pause)
    return service.send(request)
