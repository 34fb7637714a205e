"""What all connections of a scoring service share: who may ask, what is accepted, and the queue."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Callable, Sequence

from amlsdk.records.serving import ScoringSettings
from amlsdk.scoring.keys import Keys
from amlsdk.scoring.queue import ScoringQueue
from amlsdk.scoring.replies import Reply, refusal
from amlsdk.sketches.counters import Traffic

__all__ = ["Desk", "has_small_body"]

HeaderList = Sequence[tuple[bytes, bytes]]

_NO_KEY = refusal(
    401,
    "KeyNeeded",
    "a key is needed: send the header `Authorization: Bearer <key>`",
    ((b"www-authenticate", b"Bearer"),),
)
_WRONG_KEY = refusal(
    401, "KeyNeeded", "the key is not one of this service", ((b"www-authenticate", b'Bearer error="invalid_token"'),)
)
_SMALL_BODY_BYTES = 65_536
_CHARSETS = (b"", b"utf-8", b"utf8", b"us-ascii")


class Desk:
    """The state of a scoring service, and the checks that need no body.

    Args:
        settings: Limits.
        keys: Of callers; None lets all in.
        queue: Scores.
        traffic: Sums up what was asked.

    Attributes:
        draining: Whether it is to end: what comes is answered, with `Connection: close`.
        draining_since: When that began, by the loop's clock.
        left: Set when no connection is left.
        openapi: The contract, once it is known.
        date: The header Date.
        head: The beginning of most answers.
    """

    def __init__(
        self, settings: ScoringSettings, keys: Keys | None, queue: ScoringQueue, traffic: Callable[[], Traffic]
    ) -> None:
        self.settings, self.queue, self.traffic = settings, queue, traffic
        self._keys = keys
        self.draining = False
        self.draining_since = 0.0
        self.left = asyncio.Event()
        self.openapi: bytes | None = None
        self.date = b""
        self.head = b""
        self.tick()

    @property
    def is_ready(self) -> bool:
        """Whether it scores, and is to go on doing so."""
        return self.queue.is_loaded and not self.draining

    @property
    def has_keys(self) -> bool:
        """Whether callers need a key."""
        return self._keys is not None

    def tick(self) -> None:
        """Do what is to be done a few times a second: the date, keys that changed, requests that waited too long."""
        self.date = email.utils.formatdate(time.time(), usegmt=True).encode()
        self.head = b"HTTP/1.1 200 OK\r\ndate: " + self.date + b"\r\ncontent-type: application/json\r\ncontent-length: "
        if self._keys is not None:
            self._keys.look()
        self.queue.expire()

    def check_key(self, authorization: bytes | None) -> Reply | None:
        """Return the refusal of a request with this header, or None."""
        if self._keys is None:
            return None
        if authorization is None:
            return _NO_KEY
        scheme, _, key = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not self._keys.accept(key.strip()):
            return _WRONG_KEY
        return None

    def check_headers(self, headers: HeaderList) -> Reply | None:
        """Return the refusal of a scoring request with these headers (names in lower case), or None."""
        authorization = kind = length = encoding = None
        for name, value in headers:
            if name == b"authorization":
                authorization = value
            elif name == b"content-type":
                kind = value
            elif name == b"content-length":
                length = value
            elif name == b"content-encoding":
                encoding = value
        refused = self.check_key(authorization)
        if refused is not None:
            return refused
        if kind is not None and kind != b"application/json" and not _is_json(kind):
            message = "a body of type application/json (UTF-8) is expected"
            return refusal(415, "UnsupportedMediaType", message)
        if encoding is not None and encoding.strip().lower() != b"identity":
            return refusal(415, "UnsupportedMediaType", "a body that is not compressed is expected")
        if length is not None and int(length) > self.settings.max_body_bytes:
            return self.too_large()
        return None

    def too_large(self) -> Reply:
        """Return the refusal of a body that is too large."""
        return refusal(413, "BodyTooLarge", f"a body may have up to {self.settings.max_body_bytes} bytes")

    def too_slow(self) -> Reply:
        """Return the refusal of a request that takes too long to arrive."""
        seconds = self.settings.read_timeout_s
        return refusal(408, "RequestTimeout", f"the request did not arrive within {seconds:g} s")


def has_small_body(headers: HeaderList) -> bool:
    """Return whether a refused body is read to its end, and the connection kept: it is coming, and is not long."""
    length = 0
    for name, value in headers:
        if name in {b"transfer-encoding", b"expect"}:
            return False
        if name == b"content-length":
            length = int(value)
    return length <= _SMALL_BODY_BYTES


def _is_json(kind: bytes) -> bool:
    media, *parameters = [part.strip().lower() for part in kind.split(b";")]
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset" and value.strip(b' "') not in _CHARSETS:
            return False
    kind_, _, subtype = media.partition(b"/")
    return media in {b"", b"application/json"} or (bool(kind_) and (subtype == b"json" or subtype.endswith(b"+json")))
