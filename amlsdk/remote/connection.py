"""One exchange with a service: a request out, a response back, redirects followed, faults told apart."""

from __future__ import annotations

import functools
import os
import platform
import socket
from collections.abc import Mapping
from importlib import metadata
from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.records.streams import ByteStream
from amlsdk.remote.retrying import Again
from amlsdk.remote.tokens import Bearer, NoToken
from amlsdk.remote.uploads import Upload, body_of
from amlsdk.urls import is_loopback, origin
from amlsdk.wire import WireRequest

__all__ = ["Connection", "reason_of"]

_POOL = 32
# A proxy's "127.0.0.1" is the proxy itself.
_NO_PROXIES: Any = {"http": None, "https": None, "all": None}
_MOST_REDIRECTS = 3
# Browsers make a GET of what is redirected by the first three, and so lose what was to be done.
_REDIRECTS = {301: ("GET",), 302: ("GET",), 303: ("GET",), 307: None, 308: None}


class Connection:
    """Sends requests to one service; safe across threads and after a fork.

    Args:
        location: URL of the service.
        bearer: Its token, or None.
        session: Used instead of one's own, and then not closed.
        timeout_s: How long to wait for a connection, and for each piece of a response.
        user_agent: Name and version of the program that asks.
    """

    def __init__(
        self,
        location: str,
        *,
        bearer: Bearer | None,
        session: requests.Session | None,
        timeout_s: float,
        user_agent: str | None = None,
    ) -> None:
        self._location, self._bearer, self._timeout_s = location, bearer, timeout_s
        self._user_agent = _user_agent(user_agent, session)
        self._given = session
        self._session, self._process = session or _new_session(), os.getpid()

    def exchange(self, request: WireRequest, *, wait_s: float, headers: Mapping[str, str]) -> requests.Response:
        """Send a request once and return the response, whatever its status; its body is still to be read.

        Args:
            request: What to send.
            wait_s: How much longer than usual the service may be silent.
            headers: Beyond those of the body.

        Raises:
            Again: The service was not reached, or was lost.
            Unavailable: Its certificate is not to be trusted, or it redirects where nothing can follow.
        """
        verb, url = request.verb, self._location + request.path
        query: Mapping[str, str] | None = request.query
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._once(verb, url, query, request.body, wait_s=wait_s, headers=headers)
            target = response.headers.get("Location")
            if target is None or response.status_code not in _REDIRECTS:
                return response
            response.close()
            url, query = urljoin(url, target), None
            self._see_that_it_follows(verb, response.status_code, url)
        raise Unavailable(f"{self._location} redirects more than {_MOST_REDIRECTS} times, last to {_shown(url)}")

    def has_newer_token(self, refused: requests.Response) -> bool:
        """Say whether there is another token by now than the one that a refused request showed."""
        return self._bearer is not None and self._bearer.is_other_than(refused.request.headers.get("Authorization"))

    def close(self) -> None:
        """Close sockets, where the session is one's own."""
        if self._given is None:
            self._session.close()

    def _see_that_it_follows(self, verb: str, status: int, url: str) -> None:
        verbs = _REDIRECTS[status]
        if verbs is not None and verb not in verbs:
            raise Unavailable(f"{self._location} has moved; connect to where it redirects: {_shown(url)}")
        if origin(self._location)[0] == "https" and origin(url)[0] != "https":
            raise Unavailable(f"{self._location} redirects to a place without encryption: {_shown(url)}")

    def _once(
        self,
        verb: str,
        url: str,
        query: Mapping[str, str] | None,
        body: bytes | ByteStream | None,
        *,
        wait_s: float,
        headers: Mapping[str, str],
    ) -> requests.Response:
        sent = body_of(body)
        kind = "application/octet-stream" if isinstance(body, ByteStream) else "application/json"
        about = {"User-Agent": self._user_agent, **({} if body is None else {"Content-Type": kind})}
        session = self._live()
        try:
            return session.request(
                verb,
                url,
                params=query,
                data=sent,
                headers={**headers, **about},
                auth=self._auth(url),
                timeout=(self._timeout_s, self._timeout_s + wait_s),
                allow_redirects=False,
                proxies=_NO_PROXIES if is_loopback(url) else None,
                # Said here too, as requests lets REQUESTS_CA_BUNDLE outdo what a session trusts.
                verify=None if session.verify is True else session.verify,
                stream=True,
            )
        except requests.RequestException as error:
            raise self._told(error, sent) from error

    def _told(self, error: requests.RequestException, sent: Any) -> Exception:
        if isinstance(sent, Upload) and sent.fault is not None:
            return sent.fault
        reason = f"{self._location}: {reason_of(error)}"
        if isinstance(error, requests.exceptions.SSLError) and "WRONG_VERSION_NUMBER" in str(error):
            return Unavailable(f"{self._location} does not speak TLS; if that is right, its URL begins with http://")
        if isinstance(error, requests.exceptions.SSLError):
            return Unavailable(f"{reason}; if the certificate is right, let the session trust it (session.verify)")
        if isinstance(error, (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)):
            return Again(reason)
        return InvalidArgument(reason)

    def _auth(self, url: str) -> Any:
        if origin(url) != origin(self._location):
            return NoToken()
        return self._bearer

    def _live(self) -> requests.Session:
        # A forked child that used its parent's sockets would mix up the replies of both.
        if self._process != os.getpid():
            if self._given is None:
                self._session = _new_session()
            else:
                self._given.close()
            self._process = os.getpid()
        return self._session


def _user_agent(program: str | None, session: requests.Session | None) -> str:
    of_session = "" if session is None else str(session.headers.get("User-Agent", ""))
    # What requests calls itself says nothing of who asks.
    first = program or ("" if of_session.startswith("python-requests/") else of_session)
    return f"{first} {_own_user_agent()}".strip()


@functools.cache
def _own_user_agent() -> str:
    try:
        version = metadata.version("amlsdk")
    except metadata.PackageNotFoundError:  # a copy of the code that was not installed
        version = "unknown"
    return f"amlsdk/{version} (python {platform.python_version()}; {platform.system()})"


def _new_session() -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=_POOL))
    return session


def _shown(url: str) -> str:
    return url.partition("?")[0][:200]


def reason_of(error: BaseException) -> str:
    """Return the innermost reason of an error of requests, in few words; never what the request carried."""
    innermost: BaseException = error
    seen: set[int] = set()
    while id(innermost) not in seen:
        seen.add(id(innermost))
        inner = getattr(innermost, "reason", None) or innermost.__cause__ or innermost.__context__
        innermost = inner if isinstance(inner, BaseException) else innermost
    if isinstance(innermost, socket.gaierror):
        return "its name can't be resolved"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(innermost, OSError) and innermost.strerror:
        return innermost.strerror.lower()
    return f"{type(innermost).__name__}: {str(innermost)[:200]}"
