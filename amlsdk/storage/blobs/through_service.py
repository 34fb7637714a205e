"""The blobs of a workspace that is behind a service."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from amlsdk.errors import Conflict, InvalidArgument, OperationFailed
from amlsdk.operations.blobs import FindMissingBlobs, GetBlob, PutBlob
from amlsdk.records.filesets import StoredFile
from amlsdk.records.streams import ByteStream
from amlsdk.service import Service
from amlsdk.storage.blobs.base import check_digest
from amlsdk.storage.blobs.copying import digest_of_file, write_all, write_beside
from amlsdk.storage.blobs.putting import put_missing

__all__ = ["ServiceBlobs"]

_BATCH = 10_000
_ROUNDS = 3


class ServiceBlobs:
    """Sends blobs to a service and reads them from it, as trees of files need (`amlsdk.filesets.blobs.Blobs`).

    What is read from the start is verified here again: the way may have damaged it.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def missing(self, digests: Iterable[str]) -> tuple[str, ...]:
        """Return those of the digests that are not stored, each once, in the order asked."""
        asked = iter(dict.fromkeys(digests))
        found: list[str] = []
        while batch := tuple(islice(asked, _BATCH)):
            found += self._service.send(FindMissingBlobs(digests=batch)).digests
        return tuple(found)

    def put(self, digest: str, content: ByteStream) -> int:
        """Send bytes that have this digest and return how many there are, where that is known."""
        self._service.send(PutBlob(digest=check_digest(digest), content=content))
        return content.size_bytes or 0

    def put_file(self, path: str | Path, *, digest: str | None = None) -> tuple[str, int]:
        """Send a file, unless its content is there already, and return digest and size of what was stored.

        Raises:
            NotFound: There is no such file.
            InvalidArgument: It has another digest than expected.
            Conflict: It changes faster than it can be sent.
        """
        for _ in range(_ROUNDS):
            found, size = digest_of_file(path)
            if digest not in (None, found):
                raise InvalidArgument(f"{path} has the digest {found}, not {digest}")
            if not self.missing([found]):
                return found, size
            try:
                self.put(found, ByteStream.from_file(path, stop=size))
            except InvalidArgument:
                continue  # it changed between being read and being sent
            return found, size
        raise Conflict(f"{path} changes faster than it can be sent")

    def put_files(self, paths: Sequence[Path]) -> dict[Path, StoredFile]:
        """Send what is new of many files and return what each had; one that is gone is left out."""
        return put_missing(self, paths)

    def open(self, digest: str, *, start: int = 0) -> ByteStream:
        """Return the bytes that have this digest, verified while they are read from the start."""
        reply = self._service.send(GetBlob(digest=check_digest(digest), start=start))
        if start:
            return reply
        return ByteStream(begin=lambda: _verified(digest, reply), size_bytes=reply.size_bytes)

    def copy_to(self, digest: str, path: str | Path) -> None:
        """Write the bytes that have this digest to a file, verified before it gets its name."""
        content = self.open(digest)
        with write_beside(path) as target:
            for chunk in content:
                write_all(target, chunk)


def _verified(digest: str, content: ByteStream) -> Iterator[bytes]:
    found, held = hashlib.sha256(), b""
    for chunk in content:
        found.update(chunk)
        if held:
            yield held
        held = chunk
    # The last bytes are held back until the whole is known to be right.
    if found.hexdigest() != digest:
        raise OperationFailed(f"blob {digest} arrived damaged: what came has the digest {found.hexdigest()}")
    if held:
        yield held
