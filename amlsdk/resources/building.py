"""Building an image: in this process where it waits, else in one of its own."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from amlsdk import plugins
from amlsdk.errors import InvalidArgument, OperationFailed
from amlsdk.handing.tokens import credential_for
from amlsdk.operations.images import CancelImage, CreateImage, GetImage, ReadImageLog
from amlsdk.processes import this_process
from amlsdk.processes.launching import Detached
from amlsdk.records.ids import new_id
from amlsdk.records.images import ImageRecord, ImageStatus
from amlsdk.records.jobs import ProcessIdentity
from amlsdk.records.manifests import ManifestRecord
from amlsdk.records.names import check_name, check_text
from amlsdk.records.tenancy import TokenKind
from amlsdk.resources.arguments import check_flag
from amlsdk.resources.passing import PassingLine

if TYPE_CHECKING:
    from amlsdk.resources.client import Client
    from amlsdk.resources.image import Image

__all__ = ["build", "raise_if_bad"]

_LOOK_S = 0.1
_CANCELLED_WITHIN_S = 5.0


def build(
    client: Client,
    manifest: ManifestRecord,
    name: str | None,
    *,
    builder: str,
    base: str,
    wait: bool,
    show_output: bool | TextIO,
) -> Image:
    """Record the next version of an image and have it built."""
    from amlsdk.resources.image import Image

    check_flag(wait, what="wait")
    image_name = check_name(manifest.name if name is None else name, what="image")
    _check_builder(builder, manifest, base)

    def record(owner: ProcessIdentity) -> ImageRecord:
        return client.send(
            CreateImage(id=new_id(), name=image_name, manifest_id=manifest.id, owner=owner, builder=builder, base=base)
        )

    if not wait:
        return Image(client, _begin_elsewhere(client, record))
    stream = None if show_output is False else sys.stdout if show_output is True else show_output
    ended = _build_here(client, record(this_process()), stream)
    raise_if_bad(ended)
    return Image(client, ended)


def raise_if_bad(record: ImageRecord) -> None:
    """Raise the reason why an image was not built.

    Raises:
        OperationFailed: It Failed or was Canceled.
    """
    if record.status != ImageStatus.COMPLETED:
        what = f"image {record.name!r} version {record.version}"
        raise OperationFailed(f"{what} is {record.status}: {record.error or 'no reason is known'}")


def _check_builder(builder: str, manifest: ManifestRecord, base: str) -> None:
    check_text(builder, what="builder")
    try:
        adapter: Any = plugins.load("amlsdk.builders", builder)
    except InvalidArgument as error:
        known = ", ".join(plugins.names("amlsdk.builders"))
        raise InvalidArgument(f"there is no builder {builder!r}; there are: {known}") from error
    adapter().check(manifest, base)


def _begin_elsewhere(client: Client, record: Callable[[ProcessIdentity], ImageRecord]) -> ImageRecord:
    place = client.place
    with Detached("amlsdk.images") as starting:
        owner = starting.identity()
        name = f"image build on {owner.host}"
        credential = credential_for(client.service, place, kind=TokenKind.RUN, name=name)
        try:
            made = record(owner)
        except BaseException:
            credential.end(client.service)
            raise
        starting.send({**place.to_message(), **credential.to_message(), "image_id": made.id})
    return made


def _build_here(client: Client, record: ImageRecord, stream: TextIO | None) -> ImageRecord:
    """Build in a thread, while this one shows how it goes on and hears Ctrl-C."""
    work = _Work(client, record)
    work.start()
    after = 0
    try:
        with PassingLine(stream, wanted=client.config.progress) as passing:
            begun = time.monotonic()
            while work.is_alive():
                work.join(_LOOK_S)
                if stream is not None:
                    after += _show(client, record.id, after, stream, passing)
                if passing.is_shown:
                    step = client.send(GetImage(image_id=record.id)).step
                    passing.show(f"[{record.name}] {step} {time.monotonic() - begun:.1f} s")
    except KeyboardInterrupt:
        client.send(CancelImage(image_id=record.id))
        work.join(_CANCELLED_WITHIN_S)
        raise
    if stream is not None:
        _show(client, record.id, after, stream, None)
    return work.ended()


def _show(client: Client, image_id: str, after: int, stream: TextIO, passing: PassingLine | None) -> int:
    content = client.send(ReadImageLog(image_id=image_id, after=after)).read()
    # Whole lines only, so that no character is cut.
    content = content[: content.rfind(b"\n") + 1]
    if content:
        if passing is not None:
            passing.clear()
        stream.write(content.decode(errors="replace"))
        stream.flush()
    return len(content)


class _Work(threading.Thread):
    def __init__(self, client: Client, record: ImageRecord) -> None:
        super().__init__(name="amlsdk-build", daemon=True)
        self._client, self._record = client, record
        self._ended: ImageRecord | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Build it."""
        from amlsdk.images.driving import drive

        try:
            self._ended = drive(self._client.service, self._client.blobs, self._client.spool, self._record)
        except BaseException as error:  # noqa: BLE001  # raised where it is waited for
            self._error = error

    def ended(self) -> ImageRecord:
        """Return the record after the end."""
        if self._error is not None:
            raise self._error
        assert self._ended is not None  # noqa: S101  # one of the two is there
        return self._ended
