"""What keeps web pages away from a service without authentication.

A page of another site may send requests to this machine, and may have its own name resolve to this machine (DNS
rebinding). The first shows in the header Origin, or where browsers leave that out, as for images and scripts, in
Sec-Fetch-Site (w3.org/TR/fetch-metadata); the second shows in the header Host.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from amlsdk.errors import Denied
from amlsdk.server.ending import Body, has_body, send_before_end
from amlsdk.server.replies import refusal

__all__ = ["LoopbackOnly", "is_loopback"]

# Of a page of this service, or of nobody: typed in by a person.
_OWN_SITES = ("same-origin", "none")


def is_loopback(host: str) -> bool:
    """Say whether a host's name or address, without a port, is this machine and nothing else."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class LoopbackOnly:
    """Refuses requests that were meant for another host or come from another site.

    Args:
        app: What answers the others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        headers = Headers(scope=scope) if scope["type"] == "http" else None
        reason = None if headers is None else _reason(headers)
        if headers is None or reason is None:
            await self._app(scope, receive, send)
            return
        refused = refusal(403, reason, code=Denied.code)
        if has_body(headers):
            await send_before_end(refused, Body(receive), send)
        else:
            await refused(scope, receive, send)


def _reason(headers: Headers) -> str | None:
    host, origin, site = headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site", "none")
    if not is_loopback(_name(host)):
        return f"this service answers on the loopback address only, and was asked as {host[:100]!r}"
    if origin is not None and _name_and_port(origin) != host.lower():
        return f"this service has no authentication, so pages of {origin[:100]!r} may not use it"
    if site not in _OWN_SITES:
        return "this service has no authentication, so pages of other sites may not use it"
    return None


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _name_and_port(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
