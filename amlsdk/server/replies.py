"""What the server sends back: JSON, streams, errors."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from amlsdk.errors import AmlError, InvalidArgument
from amlsdk.operations import Operation
from amlsdk.records.streams import ByteStream
from amlsdk.server.threads import Threads
from amlsdk.wire import encode_error, encode_reply

__all__ = ["fault_reply", "internal_reply", "json_reply", "refusal", "reply_of"]

_JSON = "application/json"
_BYTES = "application/octet-stream"
_LOG = logging.getLogger("amlsdk.server")


async def reply_of(operation: Operation, reply: Any, *, threads: Threads, check_only: bool) -> Response:
    """Return the response of an operation.

    Args:
        operation: What was asked.
        reply: What the service answered.
        threads: Where streams are read.
        check_only: A stream is read to its end but not sent, so that an error in its midst can be told.
    """
    if not isinstance(reply, ByteStream):
        return Response(await threads.run(encode_reply, operation, reply), media_type=_JSON)
    # Errors of most streams come with the first chunk, when there is still a status to say so with.
    chunks = iter(reply)
    first = await threads.run(_next, chunks)
    if check_only:
        while first is not None:
            first = await threads.run(_next, chunks)
        return Response(status_code=204)
    length = {} if reply.size_bytes is None else {"content-length": str(reply.size_bytes)}
    return StreamingResponse(_sent(first, chunks, threads), media_type=_BYTES, headers=length)


async def _sent(first: bytes | None, chunks: Iterator[bytes], threads: Threads) -> AsyncIterator[bytes]:
    # A thread is held only while a chunk is read, not while a slow client takes it.
    chunk = first
    while chunk is not None:
        yield chunk
        chunk = await threads.run(_next, chunks)


def _next(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)


def json_reply(content: Any, *, status: int = 200) -> Response:
    """Return plain JSON."""
    return Response(orjson.dumps(content), status_code=status, media_type=_JSON)


def fault_reply(error: AmlError) -> Response:
    """Return an error of the service."""
    status, body = encode_error(error)
    return Response(body, status_code=status, media_type=_JSON)


def refusal(status: int, message: str, *, code: str = InvalidArgument.code, **headers: str) -> Response:
    """Return an error of HTTP itself, in the form of all others."""
    body = orjson.dumps({"code": code, "message": message})
    return Response(body, status_code=status, media_type=_JSON, headers=headers)


def internal_reply(what: str, error: Exception) -> Response:
    """Return the error that stands for any other; what happened is in the log only."""
    reference = uuid.uuid4().hex[:12]
    _LOG.error("%s failed, reference %s", what, reference, exc_info=error)
    return refusal(
        500, f"{what} failed inside the service; its log says why, under reference {reference}", code=AmlError.code
    )
