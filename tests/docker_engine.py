"""A Docker Engine of the tests' own, beside any that runs on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

LENIENT = Path(__file__).parent.parent / "scripts" / "runc-lenient"
# Debian's client fits to Debian's engine; another one may come first on the path.
CLIENT = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else shutil.which("docker")
_START_S = 60.0


def why_not() -> str | None:
    """Why no engine can be started here, or None."""
    if os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "dockerd needs root"
    if CLIENT is None or shutil.which("dockerd") is None:
        return "there is no Docker Engine: apt-get install docker.io"
    return None


class Engine:
    """A running engine.

    Containers use the network of the machine: neither a bridge nor rules of a firewall are made.
    """

    def __init__(self, folder):
        self.address = f"unix://{folder}/docker.sock"

    def docker(self, *arguments, check=True, timeout=120):
        """Run the client and return what it says."""
        done = subprocess.run(
            [CLIENT, "--host", self.address, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise AssertionError(f"docker {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout.strip() if check else done

    def inspect(self, name):
        return json.loads(self.docker("inspect", name))[0]


@contextlib.contextmanager
def engine():
    """Start an engine in a temporary folder, and end it with all that it runs."""
    # Short, as a socket's path has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="dk-", dir="/tmp"))
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [
            shutil.which("dockerd"),
            *("--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid"),
            *("--host", f"unix://{folder}/docker.sock"),
            *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
            *("--add-runtime", f"lenient={LENIENT}", "--default-runtime", "lenient"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        started = Engine(folder)
        _wait_for(started, process, folder)
        yield started
        for name in started.docker("ps", "--all", "--quiet").split():
            started.docker("rm", "--force", name)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()
        _let_go_of_mounts(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(started, process, folder):
    deadline = time.monotonic() + _START_S
    while started.docker("version", check=False).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"dockerd did not start:\n{(folder / 'log').read_text()[-3000:]}")
        time.sleep(0.1)


def _let_go_of_mounts(folder):
    """An engine leaves the network of the machine mounted, and more where it was killed."""
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        place = line.split()[1]
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", place], check=False)
