"""A team's service in a process of its own, that can be ended and begun again at the same address."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

SERVE = """
import pathlib, sys
from amlsdk.server.run import serve
from amlsdk.tenancy import TenantHost
host = TenantHost(pathlib.Path(sys.argv[1]))
if host.first_token:
    pathlib.Path(sys.argv[1], "first-token").write_text(host.first_token)
serve(host, port=int(sys.argv[2]))
"""


def free_port():
    """Return a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class TeamService:
    """A service over a folder; a context manager that ends it.

    Args:
        root: Of the service.
    """

    def __init__(self, root):
        self.root = root
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = None

    @property
    def token(self):
        """Of the first owner."""
        return (self.root / "first-token").read_text()

    def begin(self):
        """Begin it, and return once it answers."""
        self._process = subprocess.Popen([sys.executable, "-c", SERVE, str(self.root), str(self.port)])
        deadline = time.monotonic() + 30
        while not self._answers():
            assert self._process.poll() is None, "the service ended as it began"
            assert time.monotonic() < deadline, "the service does not answer"
            time.sleep(0.02)
        return self

    def kill(self):
        """End it without a word."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answers(self):
        url = f"{self.url}/healthz"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as reply:  # noqa: S310  # loopback
            return reply.status == 200
        return False

    def __enter__(self):
        return self.begin()

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
