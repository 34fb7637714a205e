"""Streams as bodies of requests."""

from __future__ import annotations

from collections.abc import Iterator

from amlsdk.errors import InvalidArgument
from amlsdk.records.streams import ByteStream

__all__ = ["Sized", "Upload", "body_of"]


class Upload:
    """The chunks of a stream, from its first byte, for one attempt.

    Args:
        stream: What is sent.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        # An error of the content itself, which is not to be taken for one of the connection.
        self.fault: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the chunks; an empty one would end the body early where its length is not known."""
        try:
            yield from filter(None, self._counted())
        except Exception as error:
            self.fault = error
            raise

    def _counted(self) -> Iterator[bytes]:
        size, wanted = 0, self._stream.size_bytes
        for chunk in self._stream:
            size += len(chunk)
            if wanted is not None and size > wanted:
                break
            yield chunk
        if wanted is not None and size != wanted:
            raise InvalidArgument(f"what is sent had {wanted} bytes and now has another number; leave it as it is")


class Sized(Upload):
    """An upload whose length is known beforehand."""

    def __len__(self) -> int:
        """Return the number of bytes."""
        return self._stream.size_bytes or 0


def body_of(body: bytes | ByteStream | None) -> bytes | Upload | None:
    """Return the body of one attempt, as requests takes it."""
    if not isinstance(body, ByteStream):
        return body
    if body.size_bytes == 0:
        return b""
    return Upload(body) if body.size_bytes is None else Sized(body)
