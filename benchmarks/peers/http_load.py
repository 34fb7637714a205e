"""What the scripts that measure a scoring service share: the model, the server's process, and `wrk` as its client."""

import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SECONDS = 5
CONNECTIONS = (32, 1)
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def train() -> tuple[object, list[list[float]], list[str]]:
    """Return the tree of the wine example, the rows it was trained on and the names of the columns."""
    from sklearn.datasets import load_wine
    from sklearn.tree import DecisionTreeClassifier

    wine = load_wine()
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(wine.data, wine.target)
    return tree, wine.data.tolist(), list(wine.feature_names)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(command: Sequence[str], ready: str, log: Path) -> Iterator[None]:
    """Run a server on the first core until its address answers, and end it afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen([*on_core(0), *command], stdout=output, stderr=output)
        try:
            wait_until_ready(process, ready, log)
            yield
        finally:
            process.terminate()
            process.wait(60)


def wait_until_ready(process: subprocess.Popen, address: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        if is_ready(address):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"the server did not come up:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def is_ready(address: str) -> bool:
    parts = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def on_core(number: int) -> list[str]:
    """A prefix for a command that is to run on one core: the server on one, its client on another."""
    if shutil.which("taskset") is None:
        sys.exit("taskset is needed (util-linux)")
    return ["taskset", "-c", str(number)]


def load(address: str, headers: dict[str, str], body: object, folder: Path) -> dict[str, float]:
    """Post one body over and over, on 32 connections, then on one.

    Returns:
        For each number of connections n: requests_s_n, us_a_request_n, p50_ms_n and p99_ms_n.
    """
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed (apt-get install wrk)")
    script = folder / "post.lua"
    lines = ['wrk.method = "POST"', f"wrk.body = [==[{json.dumps(body)}]==]"]
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    script.write_text("\n".join(lines))
    results: dict[str, float] = {}
    for connections in CONNECTIONS:
        wrk(address, script, connections, seconds=1)  # warm
        results |= {f"{name}_{connections}": value for name, value in wrk(address, script, connections).items()}
    return results


def wrk(address: str, script: Path, connections: int, *, seconds: int = SECONDS) -> dict[str, float]:
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "60s", "-s", str(script)]
    command = ["wrk", *options, address]
    printed = subprocess.run([*on_core(1), *command], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in printed or "Socket errors" in printed:
        sys.exit(f"requests failed:\n{printed}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", printed)[1])
    return {
        "requests_s": round(rate),
        "us_a_request": round(1e6 / rate, 1),
        "p50_ms": percentile(printed, 50),
        "p99_ms": percentile(printed, 99),
    }


def percentile(printed: str, percent: int) -> float:
    number, unit = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s)\s*$", printed, re.MULTILINE).groups()
    return round(float(number) * _UNITS[unit], 3)
