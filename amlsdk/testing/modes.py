"""The mode between a folder and a server: the codec without a socket."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from amlsdk.errors import AmlError
from amlsdk.operations import Operation, Request, operation_of
from amlsdk.operations.checks import check
from amlsdk.records.streams import ByteStream
from amlsdk.server.routing import find
from amlsdk.service import Backend, Principal, Service, Spool
from amlsdk.wire import decode_error, decode_reply, decode_request, encode_error, encode_reply, encode_request

__all__ = ["WireBackend", "WireService"]

R = TypeVar("R")


class WireService:
    """Sends every request, reply and error through the codec, to a service in this process.

    What differs between this and the service itself differs also behind a URL. Streams are held in memory.

    Args:
        inner: Answers the requests.
    """

    def __init__(self, inner: Service) -> None:
        self._inner = inner

    def send(self, request: Request[R]) -> R:
        """Carry out one operation."""
        operation = operation_of(request)
        check(request, operation.request, at=operation.name)
        wired = encode_request(request)
        try:
            match = find(wired.verb, wired.path)
            if match is None or match.operation is not operation:
                raise AssertionError(f"{wired.verb} {wired.path} is not the route of {operation.name}")
            body = ByteStream.of(wired.body.read()) if isinstance(wired.body, ByteStream) else wired.body or b""
            arrived = decode_request(operation, match.path, query=wired.query, body=body)
            answer = _answer(operation, self._inner.send(arrived))
        except AmlError as error:
            raise decode_error(*encode_error(error)) from error
        if operation.reply is ByteStream:
            return cast("R", ByteStream.of(answer))
        return cast("R", decode_reply(operation, answer))


def _answer(operation: Operation, reply: Any) -> bytes:
    return reply.read() if isinstance(reply, ByteStream) else encode_reply(operation, reply)


class WireBackend(Backend):
    """A backend whose services are reached through the codec, as those of a server are.

    Args:
        inner: Keeps the workspace.
        spool: Where its clients write; its `shipped` is to be True.
    """

    def __init__(self, inner: Backend, *, spool: Spool) -> None:
        self._inner = inner
        self.location, self.spool = inner.location, spool

    def open(self, principal: Principal | None = None) -> Service:
        """Return a service for a caller."""
        return WireService(self._inner.open(principal))

    def close(self) -> None:
        """Close the inner backend."""
        self._inner.close()
