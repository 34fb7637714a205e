"""URLs of services: their one form, and what a secret for them is good for."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit, urlunsplit

from amlsdk.errors import InvalidArgument

__all__ = ["is_loopback", "is_within", "normal", "origin"]

_PORTS = {"http": 80, "https": 443}


def normal(location: str) -> str:
    """Return the one form of a service's URL, without a slash at its end.

    Raises:
        InvalidArgument: It is no URL of a service; a token in it would end in logs and is refused.
    """
    try:
        parts = urlsplit(location)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidArgument(f"a service's URL is expected, such as https://aml.example.com: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise InvalidArgument(f"the URL of the service at {host} has a user or password in it; give a token instead")
    if parts.scheme not in _PORTS or not host or parts.query or parts.fragment:
        raise InvalidArgument(f"{location!r} is no URL of a service, such as https://aml.example.com")
    name = f"[{host}]" if ":" in host else host
    place = name if port in (None, _PORTS[parts.scheme]) else f"{name}:{port}"
    return urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of a URL: what a token is for."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def is_within(url: str, outer: str) -> bool:
    """Say whether a URL is that of a service or of a workspace in it; both in their one form."""
    return url == outer or url.startswith(f"{outer}/")


def is_loopback(url: str) -> bool:
    """Say whether a URL is of this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
