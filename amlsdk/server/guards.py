"""What keeps web pages away from a service without authentication.

A page of another site may send requests to this machine, and may have its own name resolve to this machine (DNS
rebinding). The first shows in the header Origin, the second in the header Host.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from amlsdk.errors import Denied
from amlsdk.server.replies import refusal

__all__ = ["LoopbackOnly", "is_loopback"]


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
        reason = _reason(Headers(scope=scope)) if scope["type"] == "http" else None
        answer = self._app if reason is None else refusal(403, reason, code=Denied.code)
        await answer(scope, receive, send)


def _reason(headers: Headers) -> str | None:
    host, origin = headers.get("host", ""), headers.get("origin")
    if not is_loopback(_name(host)):
        return f"this service answers on the loopback address only, and was asked as {host[:100]!r}"
    if origin is not None and _name_and_port(origin) != host.lower():
        return f"this service has no authentication, so pages of {origin[:100]!r} may not use it"
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
