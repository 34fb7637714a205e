"""Replies that are streams of bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import requests

from amlsdk.errors import Unavailable
from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.remote.connection import reason_of

__all__ = ["stream_of"]


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
    left = _size(response)
    with response:
        try:
            for chunk in response.iter_content(CHUNK):
                left = None if left is None else left - len(chunk)
                yield chunk
        except requests.RequestException as error:
            explain()
            raise Unavailable(f"{what}: the reply was cut off ({reason_of(error)}); ask again") from error
    if left:
        # urllib3 before 2 takes a body that was cut off for a whole one.
        explain()
        raise Unavailable(f"{what}: the reply was cut off ({left} bytes are missing); ask again")
