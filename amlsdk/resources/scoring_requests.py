"""Asking a scoring service."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
import requests

from amlsdk.errors import AmlError, Denied, InvalidArgument, NotFound, OperationFailed, Unavailable

__all__ = ["ScoringClient"]

_TIMEOUT_S = (5.0, 120.0)
_BUSY = frozenset({429, 503})
_LONGEST_PAUSE_S = 5.0
_PATIENCE_S = 30.0


class ScoringClient:
    """One connection to a scoring service. Safe across threads as far as `requests` is; reconnects by itself.

    Args:
        uri: Where `POST` scores.
        key: Returns the key that is sent; asked again, with True, where the service refuses the one it returned.
    """

    def __init__(self, uri: str, key: Callable[[bool], str]) -> None:
        self._uri, self._key = uri, key
        self._session = requests.Session()
        # A service on this machine is not reached through the proxy of the network.
        self._session.trust_env = "://127.0.0.1" not in uri

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def score(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the reply to a request; a service that is busy is asked again for half a minute.

        Raises:
            InvalidArgument: The service can't read the request; the message names row and field.
            Denied: It refuses the key.
            OperationFailed: The scoring script failed; the message has the reference under which its log has why.
            Unavailable: It can't be reached, or stays busy.
        """
        content = orjson.dumps(body)
        deadline = time.monotonic() + _PATIENCE_S
        reply = self._post(content, self._key(False))
        if reply.status_code == requests.codes.unauthorized:
            # It may have been replaced since it was asked for.
            reply = self._post(content, self._key(True))
        while reply.status_code in _BUSY and (pause_s := _pause_s(reply)) < deadline - time.monotonic():
            time.sleep(pause_s)
            reply = self._post(content, self._key(False))
        if not reply.ok:
            raise _error(reply)
        answer: dict[str, Any] = orjson.loads(reply.content)
        return answer

    def _post(self, content: bytes, key: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        try:
            return self._session.post(self._uri, data=content, headers=headers, timeout=_TIMEOUT_S)
        except requests.RequestException as error:
            raise Unavailable(f"{self._uri} can't be reached: {error}") from error


def _pause_s(reply: requests.Response) -> float:
    try:
        return min(_LONGEST_PAUSE_S, max(0.05, float(reply.headers.get("Retry-After", "1"))))
    except ValueError:
        return 1.0


def _error(reply: requests.Response) -> AmlError:
    try:
        message = str(orjson.loads(reply.content)["message"])
    except (ValueError, KeyError, TypeError):
        message = f"the service answered with status {reply.status_code}: {reply.text[:200]!r}"
    return _ERRORS.get(reply.status_code, OperationFailed)(message)


_ERRORS: dict[int, type[AmlError]] = {
    400: InvalidArgument,
    401: Denied,
    403: Denied,
    404: NotFound,
    413: InvalidArgument,
    415: InvalidArgument,
    422: InvalidArgument,
    429: Unavailable,
    503: Unavailable,
}
