"""Large blobs on their way to a service: in parts, of which none is sent that is there."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from amlsdk.errors import Conflict
from amlsdk.operations.blobs import FinishBlob, ListBlobParts, PutBlobPart
from amlsdk.records.filesets import PART_BYTES
from amlsdk.records.streams import ByteStream
from amlsdk.service import Service

__all__ = ["is_large", "send_file_in_parts", "send_in_parts"]

# Below that a few more requests cost more than what is lost with a connection.
_LARGE = 2 * PART_BYTES
# While the service writes one part, the next one is on its way.
_LANES = 2
_ROUNDS = 3


def is_large(size: int | None) -> bool:
    """Say whether content of a size is better sent in parts."""
    return size is not None and size > _LARGE


def send_file_in_parts(service: Service, digest: str, path: str | Path, size: int) -> None:
    """Send what is missing of a file's bytes, up to a size, and make a blob of them.

    Raises:
        InvalidArgument: The file has another digest by now.
        Conflict: Parts vanish as fast as they are sent.
    """

    def send(numbers: Collection[int]) -> None:
        with ThreadPoolExecutor(_LANES, "amlsdk-send") as pool:
            list(pool.map(send_one, numbers))

    def send_one(number: int) -> None:
        start = number * PART_BYTES
        content = ByteStream.from_file(path, start=start, stop=min(size, start + PART_BYTES))
        service.send(PutBlobPart(digest=digest, number=number, content=content))

    _send(service, digest, size, send)


def send_in_parts(service: Service, digest: str, content: ByteStream, size: int) -> None:
    """Send what is missing of a stream, and make a blob of it; it is read once each time that something is missing.

    Raises:
        InvalidArgument: The stream has another digest.
        Conflict: Parts vanish as fast as they are sent.
    """

    def send(numbers: Collection[int]) -> None:
        for number, part in enumerate(_cut(content)):
            if number in numbers:
                service.send(PutBlobPart(digest=digest, number=number, content=ByteStream.of(part)))

    _send(service, digest, size, send)


def _send(service: Service, digest: str, size: int, send: Callable[[Collection[int]], None]) -> None:
    count = math.ceil(size / PART_BYTES)
    wanted = {number: min(PART_BYTES, size - number * PART_BYTES) for number in range(count)}
    for turn in range(_ROUNDS):
        there = service.send(ListBlobParts(digest=digest))
        if there.stored:
            return
        send({number: size for number, size in wanted.items() if there.sizes.get(str(number)) != size})
        try:
            service.send(FinishBlob(digest=digest, parts=count))
        except Conflict:
            # A service removes parts that nobody finishes for a day.
            if turn == _ROUNDS - 1:
                raise
        else:
            return


def _cut(content: ByteStream) -> Iterator[bytes]:
    part = bytearray()
    for chunk in content:
        left = memoryview(chunk)
        while left:
            taken = left[: PART_BYTES - len(part)]
            part += taken
            left = left[len(taken) :]
            if len(part) == PART_BYTES:
                yield bytes(part)
                part = bytearray()
    if part:
        yield bytes(part)
