"""A service behind a URL."""

from __future__ import annotations

import threading
from typing import Any, TypeVar, cast

import orjson
import requests

from amlsdk.errors import BY_CODE, NotSignedIn, Unavailable
from amlsdk.operations import Operation, Request, operation_of
from amlsdk.operations.blobs import GetBlob
from amlsdk.operations.checks import check, check_size
from amlsdk.records.streams import ByteStream
from amlsdk.remote.connection import Connection, reason_of
from amlsdk.remote.downloads import blob_of, stream_of
from amlsdk.remote.retrying import Again, Patience
from amlsdk.wire import MAX_JSON, WireRequest, decode_error, decode_reply, encode_request

__all__ = ["HttpService"]

R = TypeVar("R")
_LONGEST_WAIT_S = 60.0
_BYTES = "application/octet-stream"
_OK, _CHECKED = 200, 204
_TOO_MANY, _BAD_GATEWAY, _UNAVAILABLE, _GATEWAY_TIMEOUT = 429, 502, 503, 504


class HttpService:
    """Sends requests over HTTP, and tries again where that may help.

    Args:
        connection: To the service.
        deadline_s: How long a service that is not there is tried.
    """

    def __init__(self, connection: Connection, *, deadline_s: float) -> None:
        self._connection = connection
        self._closed = threading.Event()
        self._patience = Patience(deadline_s=deadline_s, sleep=self._sleep)

    def send(self, request: Request[R]) -> R:
        """Carry out one operation."""
        operation = operation_of(request)
        check(request, operation.request, at=operation.name)
        call = _Call.of(request, operation)
        _check_body(operation, call.wired)
        if isinstance(request, GetBlob):
            return cast("R", self._blob(call, request))
        return cast("R", self._streamed(call) if operation.reply is ByteStream else self._read(call))

    def _sleep(self, seconds: float) -> None:
        self._closed.wait(seconds)

    def close(self) -> None:
        """Send nothing more; twice is no error."""
        self._closed.set()
        self._connection.close()

    def _read(self, call: _Call) -> Any:
        def attempt() -> bytes:
            content = _content(self._answered(call))
            if not content:
                # http.client takes a head that was cut off for a whole one without a body; a reply is never empty.
                raise Again("the reply was cut off (nothing of it came)")
            return content

        return decode_reply(call.operation, self._patience.insist(attempt, what=call.operation.name))

    def _streamed(self, call: _Call) -> ByteStream:
        def again() -> requests.Response:
            return self._patience.insist(lambda: self._opened(call), what=call.operation.name)

        return stream_of(again(), again=again, explain=lambda: self._explain(call), what=call.operation.name)

    def _blob(self, call: _Call, request: GetBlob) -> ByteStream:
        return blob_of(
            self._patience.insist(lambda: self._opened(call), what=call.operation.name),
            request,
            opened=lambda later: self._opened(_Call.of(later, call.operation)),
            explain=lambda: self._explain(call),
            patience=self._patience,
        )

    def _opened(self, call: _Call) -> requests.Response:
        response = self._answered(call)
        kind = response.headers.get("Content-Type", "nothing named").partition(";")[0]
        if kind != _BYTES:
            response.close()
            raise Unavailable(
                f"{call.operation.name}: the reply is {kind}, not the bytes asked for; does a proxy answer?"
            )
        if not ("Content-Length" in response.headers or "Transfer-Encoding" in response.headers):
            # Nothing would tell a stream that was cut off from a whole one.
            response.close()
            raise Again("the reply does not say where it ends")
        return response

    def _explain(self, call: _Call) -> None:
        """Ask for the error that cut a stream off, which came too late for a status."""
        try:
            self._answered(call, **{"Aml-Check": "stream"}).close()
        except Again:
            # The service is gone, which is what the caller will say.
            return

    def _answered(self, call: _Call, **headers: str) -> requests.Response:
        """Return a response that is no error."""
        if self._closed.is_set():
            raise Unavailable("the connection to the service is closed; connect again")
        # Bytes as they are: a compressed stream would have no known length.
        headers = {**headers, **({"Accept-Encoding": "identity"} if call.operation.reply is ByteStream else {})}
        response = self._connection.exchange(call.wired, wait_s=call.wait_s, headers=headers)
        if response.status_code == NotSignedIn.status and self._connection.has_newer_token(response):
            # The old one expired or was replaced a moment ago. Once: a second refusal is meant.
            response.close()
            response = self._connection.exchange(call.wired, wait_s=call.wait_s, headers=headers)
        if response.status_code in (_OK, _CHECKED):
            return response
        raise _fault(response)


class _Call:
    """One operation on its way."""

    __slots__ = ("operation", "wait_s", "wired")

    def __init__(self, operation: Operation, wired: WireRequest, wait_s: float) -> None:
        self.operation, self.wired, self.wait_s = operation, wired, wait_s

    @classmethod
    def of(cls, request: Request[Any], operation: Operation) -> _Call:
        # As the service does, so that a longer wait is not taken for a service that is gone.
        wait_s = max(0.0, min(getattr(request, "wait_s", 0.0), _LONGEST_WAIT_S)) + getattr(request, "takes_s", 0.0)
        return cls(operation, encode_request(request), wait_s)


def _check_body(operation: Operation, wired: WireRequest) -> None:
    """Refuse what the service would, before a large body is on its way in vain."""
    if isinstance(wired.body, bytes):
        check_size(len(wired.body), MAX_JSON, at=operation.name)
    elif wired.body is not None and wired.body.size_bytes is not None and operation.most_bytes is not None:
        check_size(wired.body.size_bytes, operation.most_bytes, at=operation.name)


def _content(response: requests.Response) -> bytes:
    with response:
        try:
            return response.content
        except requests.RequestException as error:
            raise Again(f"the reply was cut off ({reason_of(error)})") from error


def _fault(response: requests.Response) -> Exception:
    """Return the error of a response: one to try again after, or one that is final."""
    status, later = response.status_code, response.headers.get("Retry-After")
    content = _content(response)
    error = decode_error(status, content)
    # A service that says itself that it can't do this now has tried; a folder would not be tried again either.
    said_so = status == _UNAVAILABLE and later is None and _is_of_service(content)
    if status in (_TOO_MANY, _BAD_GATEWAY, _UNAVAILABLE, _GATEWAY_TIMEOUT) and not said_so:
        return Again.after(f"status {status}: {error}", later)
    return error


def _is_of_service(content: bytes) -> bool:
    try:
        return orjson.loads(content)["code"] in BY_CODE
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return False
