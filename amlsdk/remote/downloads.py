"""Replies that are streams of bytes; those of a blob go on where they were cut off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import requests

from amlsdk.errors import OperationFailed, Unavailable
from amlsdk.operations.blobs import GetBlob
from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.remote.connection import reason_of
from amlsdk.remote.retrying import Again, Patience
from amlsdk.storage.blobs.verifying import verified

__all__ = ["blob_of", "stream_of"]


def stream_of(
    response: requests.Response, *, again: Callable[[], requests.Response], explain: Callable[[], None], what: str
) -> ByteStream:
    """Return the body of a response as a stream.

    Args:
        response: Read by whoever iterates first.
        again: Sends the request anew, for each later iteration.
        explain: Asks the service what is wrong with the bytes, after they were cut off; raises it if it knows.
        what: Name of the operation.
    """
    first = _Once(response)

    def begin() -> Iterator[bytes]:
        return _chunks(first.take() or again(), explain, what)

    return ByteStream(begin=begin, size_bytes=_size(response))


def _size(response: requests.Response) -> int | None:
    said = response.headers.get("Content-Length", "")
    return int(said) if said.isdecimal() and "Content-Encoding" not in response.headers else None


class _Once:
    """A response that one reader takes."""

    def __init__(self, response: requests.Response) -> None:
        self._response: requests.Response | None = response
        self._lock = threading.Lock()

    def take(self) -> requests.Response | None:
        with self._lock:
            response, self._response = self._response, None
        return response


def _chunks(response: requests.Response, explain: Callable[[], None], what: str) -> Iterator[bytes]:
    try:
        yield from _taken(response)
    except Again as error:
        explain()
        raise Unavailable(f"{what}: {error}; ask again") from error


def _taken(response: requests.Response) -> Iterator[bytes]:
    """Iterate over what comes; `Again` where it is cut off."""
    left = _size(response)
    with response:
        try:
            for chunk in response.iter_content(CHUNK):
                left = None if left is None else left - len(chunk)
                yield chunk
        except requests.RequestException as error:
            raise Again(f"the reply was cut off ({reason_of(error)})") from error
    if left:
        # urllib3 before 2 takes a body that was cut off for a whole one.
        raise Again(f"the reply was cut off ({left} bytes are missing)")


def blob_of(
    response: requests.Response,
    request: GetBlob,
    *,
    opened: Callable[[GetBlob], requests.Response],
    explain: Callable[[], None],
    patience: Patience,
) -> ByteStream:
    """Return a blob, or its end, as a stream; verified where it is read from its first byte.

    Args:
        response: The first reply, read by whoever iterates first.
        request: What was asked.
        opened: Asks once more; raises `Again` where that may help.
        explain: Asks the service what is wrong with the bytes; raises it if it knows.
        patience: For how long the service is tried each time that nothing comes.
    """
    first = _Once(response)
    size = _size(response)

    def begin() -> Iterator[bytes]:
        again = first.take() or patience.insist(lambda: opened(request), what="GetBlob")
        chunks = _going_on(again, request, opened=opened, explain=explain, patience=patience)
        return chunks if request.start else verified(request.digest, chunks, damaged=damaged)

    def damaged() -> Exception:
        # The service tells damage where it lies; what it finds right was damaged on the way.
        explain()
        return OperationFailed(f"blob {request.digest} arrived damaged: what came has another digest; ask again")

    return ByteStream(begin=begin, size_bytes=size)


def _going_on(
    response: requests.Response,
    request: GetBlob,
    *,
    opened: Callable[[GetBlob], requests.Response],
    explain: Callable[[], None],
    patience: Patience,
) -> Iterator[bytes]:
    size, at = _size(response), 0
    chunks = _taken(response)

    def resumed() -> tuple[Iterator[bytes], bytes]:
        rest = opened(GetBlob(digest=request.digest, start=request.start + at))
        if size is not None and _size(rest) not in (None, size - at):
            rest.close()
            explain()
            raise Unavailable(f"GetBlob: blob {request.digest} goes on with another size after a cut; ask again")
        going_on = _taken(rest)
        # Only what brings bytes counts as an answer, or a service that cuts off at once would be asked for ever.
        return going_on, next(going_on, b"")

    while True:
        try:
            for chunk in chunks:
                at += len(chunk)
                yield chunk
        except Again:
            if at == size:
                return
        else:
            return
        chunks, chunk = patience.insist(resumed, what="GetBlob")
        at += len(chunk)
        yield chunk
