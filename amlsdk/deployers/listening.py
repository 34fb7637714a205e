"""The port of a deployment on this machine."""

from __future__ import annotations

import errno
import socket
import time
from urllib.parse import urlsplit

from amlsdk.errors import OperationFailed, Unavailable

__all__ = ["listen", "uri_of"]

# There is nothing between a stranger and the port but the keys: it is not to be reached from other machines.
_HOST = "127.0.0.1"
_BACKLOG = 2048
_PATH = "/score"
_TRY_AGAIN_S = 0.1


def listen(uri: str | None, *, patience_s: float = 1.0) -> socket.socket:
    """Return a socket that listens on loopback, on the port of an address that this machine had before.

    Args:
        uri: The address; None takes any port that is free.
        patience_s: The port may still be held for so long by processes that are about to end.

    Raises:
        OperationFailed: The port is taken by something else.
        Unavailable: No socket can be had.
    """
    port = 0 if uri is None else urlsplit(uri).port or 0
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return _listen(port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise Unavailable(f"{_HOST}:{port} can't be listened on: {error.strerror}") from error
            if time.monotonic() > deadline:
                raise OperationFailed(
                    f"the port {port}, which this deployment has, is taken by another process of this machine: "
                    "end that and start the deployment again, or make a new deployment"
                ) from error
            time.sleep(_TRY_AGAIN_S)


def uri_of(listener: socket.socket) -> str:
    """Return the address under which a listening socket scores."""
    host, port = listener.getsockname()
    return f"http://{host}:{port}{_PATH}"


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Connections that were closed lately must not keep the port from being used again.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
