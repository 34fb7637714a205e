"""Signing in by a browser: a command listens on this machine for who its user turns out to be (RFC 8252)."""

from __future__ import annotations

import base64
import hashlib
import platform
import queue
import secrets
import threading
import webbrowser
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, urlencode, urlsplit

import click
import requests

from amlsdk.errors import BY_CODE, AmlError, NotFound, Unavailable
from amlsdk.records.tokens import digest_of_token, id_of_token, new_token
from amlsdk.remote.connection import reason_of
from amlsdk.remote.tokens import NoToken
from amlsdk.urls import is_loopback, normal
from amlsdk.wire import decode_error

__all__ = ["has_openid", "sign_in"]

_TIMEOUT_S = 30.0
# Longer than the service waits: it is the one who says that it took too long.
_PATIENCE_S = 1000.0
_NO_PROXIES: Any = {"http": None, "https": None, "all": None}
_SEEN = "You are signed in. This page can be closed.\n"


def has_openid(url: str) -> bool:
    """Say whether people sign in to a service by a browser.

    Args:
        url: Of the service, or of a workspace in it.

    Raises:
        Unavailable: The service can't be asked.
    """
    try:
        return "openid" in _ask("GET", f"{_root(url)}/sign-in").get("ways", ())
    except NotFound:
        return False


def sign_in(url: str, *, timeout_s: float = _PATIENCE_S) -> str:
    """Return a token for whoever signs in now, in a browser on this machine; waits for them.

    The token is made here, and the service is told its digest only.

    Args:
        url: Of the service, or of a workspace in it.
        timeout_s: How long to wait.

    Raises:
        Denied: They were not let in; the message says why.
        Unavailable: The service can't be asked, or they did not come back in time.
    """
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    with _Listener() as listener:
        asked = urlencode({"redirect": listener.url, "challenge": challenge})
        _open(f"{_root(url)}/sign-in/openid?{asked}")
        code = listener.code(timeout_s)
    return _redeemed(_root(url), code=code, verifier=verifier)


def _open(address: str) -> None:
    click.echo(f"sign in, in a browser on this machine, at\n\n    {address}\n", err=True)
    # In a thread, as a browser in the terminal comes back only when it is ended.
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _redeemed(root: str, *, code: str, verifier: str) -> str:
    token = new_token()
    given = {
        "code": code,
        "verifier": verifier,
        "id": id_of_token(token),
        "digest": digest_of_token(token),
        "name": f"aml login on {platform.node() or 'a machine'}"[:200],
    }
    _ask("POST", f"{root}/sign-in/token", given)
    return token


class _Listener:
    """Waits on a free port of this machine for a browser; a context manager."""

    def __init__(self) -> None:
        # Other pages may send a browser here, too, but don't know where.
        self._path = f"/{secrets.token_urlsafe(16)}"
        self._found: queue.Queue[Mapping[str, str]] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._path, self._found))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{self._path}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    def __enter__(self) -> _Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def code(self, timeout_s: float) -> str:
        """Return what the browser brought."""
        try:
            found = self._found.get(timeout=timeout_s)
        except queue.Empty:
            raise Unavailable(f"nobody signed in within {timeout_s:.0f} s; try again") from None
        if "code" in found:
            return found["code"]
        raise BY_CODE.get(found.get("error", ""), AmlError)(found.get("message", "the browser brought no code"))


def _handler(path: str, found: queue.Queue[Mapping[str, str]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_S

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path != path:
                self._say(404, "There is nothing here.\n")
                return
            said = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self._say(200, _SEEN if "code" in said else f"You were not signed in: {said.get('message', 'no code')}\n")
            found.put(said)

        def _say(self, status: int, text: str) -> None:
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing: the address has the code in it."""

    return Handler


def _root(url: str) -> str:
    return normal(url).partition("/w/")[0]


def _ask(verb: str, url: str, content: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    proxies = _NO_PROXIES if is_loopback(url) else None
    try:
        # Without a token, also where a ~/.netrc has one.
        reply = requests.request(
            verb, url, json=content, auth=NoToken(), timeout=_TIMEOUT_S, allow_redirects=False, proxies=proxies
        )
    except requests.RequestException as error:
        raise Unavailable(f"{url} can't be asked: {reason_of(error)}") from error
    if reply.status_code != requests.codes.ok:
        raise decode_error(reply.status_code, reply.content)
    return cast("Mapping[str, Any]", reply.json())
