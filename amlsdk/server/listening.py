"""Where a server listens: its address, its port, and the certificate that it shows."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from pathlib import Path

import attrs

from amlsdk.errors import InvalidArgument, Unavailable

__all__ = ["Tls", "Transport", "is_loopback", "listen", "url_of"]


@attrs.frozen(kw_only=True)
class Tls:
    """The certificate of a server.

    Args:
        certificate: File in PEM format, with the certificates that lead to the one that signed it.
        key: File of its key, not encrypted.
    """

    certificate: Path
    key: Path

    def check(self) -> None:
        """See that it can be used.

        Raises:
            InvalidArgument: It can't; the message says why.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for file in (self.certificate, self.key):
            if not file.is_file():
                raise InvalidArgument(f"there is no file {str(file)!r}; --tls-certificate and --tls-key name PEM files")
        try:
            # Without this the password of an encrypted key would be asked for on the terminal.
            context.load_cert_chain(self.certificate, self.key, password=lambda: "")
        except (OSError, ValueError) as error:
            raise InvalidArgument(
                f"{str(self.certificate)!r} and {str(self.key)!r} can't be used for TLS ({error}): give a certificate "
                "and its key, not encrypted, in PEM format"
            ) from error


@attrs.frozen(kw_only=True)
class Transport:
    """How requests come to a server.

    Args:
        tls: The certificate to show; None speaks HTTP without encryption.
        trusted_proxies: Addresses or networks, with commas in between, of proxies whose X-Forwarded-For and
            X-Forwarded-Proto are believed; None believes nobody's.
        grace_s: How long requests may go on after the end was asked for.
    """

    tls: Tls | None = None
    trusted_proxies: str | None = None
    grace_s: float = 10.0

    def check(self) -> None:
        """See that it can be.

        Raises:
            InvalidArgument: It can't; the message says why.
        """
        if self.tls is not None:
            self.tls.check()
        for proxy in () if self.trusted_proxies is None else self.trusted_proxies.split(","):
            try:
                ipaddress.ip_network(proxy.strip())
            except ValueError as error:
                raise InvalidArgument(
                    f"{self.trusted_proxies!r} is no list of addresses or networks of proxies, such as "
                    f"127.0.0.1,10.0.0.0/8: {error}"
                ) from error


def listen(host: str, port: int) -> socket.socket:
    """Return a socket on a port.

    Raises:
        Unavailable: The port or the address can't be had.
    """
    bare = host.strip("[]")
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it a reply takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((bare, port))
        # Until it listens, another may have the port too, and only one of both would find out later.
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise Unavailable(f"port {port} of {host} can't be had: {reason}; name another, or 0 for a free one") from error
    return listener


def url_of(listener: socket.socket, *, encrypted: bool = False) -> str:
    """Return the URL by which others reach a socket; one on all addresses is called by the machine's name."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        host = socket.gethostname()
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if encrypted else 'http'}://{shown}:{port}"


def is_loopback(listener: socket.socket) -> bool:
    """Say whether only this machine reaches a socket."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback
