"""The blobs of a workspace that is behind a service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.operations.blobs import FindMissingBlobs, GetBlob, PutBlob
from amlsdk.records.filesets import StoredFile
from amlsdk.records.streams import ByteStream
from amlsdk.service import Service
from amlsdk.storage.blobs.base import check_digest
from amlsdk.storage.blobs.copying import digest_of_file, write_all, write_beside
from amlsdk.storage.blobs.fetching import fetch
from amlsdk.storage.blobs.putting import put_missing
from amlsdk.storage.blobs.sending import is_large, send_file_in_parts, send_in_parts

__all__ = ["ServiceBlobs"]

_BATCH = 10_000
_ROUNDS = 3


class ServiceBlobs:
    """Sends blobs to a service and reads them from it, as trees of files need (`amlsdk.filesets.blobs.Blobs`).

    Large ones go on where they were broken off, in both directions.
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
        """Send bytes that have this digest and return how many there are, where that is known.

        Many bytes are sent in parts, and those that an earlier attempt has sent are not sent again.
        """
        size = content.size_bytes
        if size is not None and is_large(size):
            send_in_parts(self._service, check_digest(digest), content, size)
        else:
            self._service.send(PutBlob(digest=check_digest(digest), content=content))
        return size or 0

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
                self._send_file(found, path, size)
            except InvalidArgument:
                continue  # it changed between being read and being sent
            return found, size
        raise Conflict(f"{path} changes faster than it can be sent")

    def _send_file(self, digest: str, path: str | Path, size: int) -> None:
        if is_large(size):
            send_file_in_parts(self._service, digest, path, size)
        else:
            self.put(digest, ByteStream.from_file(path, stop=size))

    def put_files(self, paths: Sequence[Path]) -> dict[Path, StoredFile]:
        """Send what is new of many files and return what each had; one that is gone is left out."""
        return put_missing(self, paths)

    def open(self, digest: str, *, start: int = 0) -> ByteStream:
        """Return the bytes that have this digest; whoever serves them verifies what is read from the start."""
        return self._service.send(GetBlob(digest=check_digest(digest), start=start))

    def copy_to(self, digest: str, path: str | Path) -> None:
        """Write the bytes that have this digest to a file, verified before it gets its name.

        Of a large one an attempt that was broken off leaves a hidden file beside it, with which the next one goes on.
        """
        content = self.open(digest)
        if is_large(content.size_bytes):
            fetch(self, digest, path, whole=content)
            return
        with write_beside(path) as target:
            for chunk in content:
                write_all(target, chunk)
