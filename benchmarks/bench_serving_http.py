"""A team's service on loopback: start to ready, memory, a small round trip, start and end of a run."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import requests

import amlsdk

STARTS = 5
ROUND_TRIPS = 500
RUNS = 100
AML = (sys.executable, "-c", "from amlsdk.cli import main; main()")


def main() -> dict:
    """Measure servers of their own, over SQLite and a folder."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AMLSDK_HOME"] = f"{folder}/home"
        starts = [started_and_ended(Path(folder) / f"start{number}") for number in range(STARTS)]
        _, server, announced = started(Path(folder) / "service")
        try:
            idle = psutil.Process(server.pid).memory_info().rss / 1e6
            return {
                "start_s": statistics.median(starts),
                "idle_mb": idle,
                **measured(announced["url"], announced["token"]),
                "used_mb": psutil.Process(server.pid).memory_info().rss / 1e6,
            }
        finally:
            end(server)


def started_and_ended(root: Path) -> float:
    took, server, _ = started(root)
    end(server)
    return took


def started(root: Path) -> tuple[float, subprocess.Popen, dict]:
    """Start a new service; the time includes that of the interpreter, and of making its tables."""
    begun = time.perf_counter()
    server = subprocess.Popen(
        [*AML, "serve", "--json", "--port", "0", "--root", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    announced = json.loads(server.stdout.readline())
    assert requests.get(f"{announced['url']}/readyz", timeout=10).ok
    return time.perf_counter() - begun, server, announced


def end(server: subprocess.Popen) -> None:
    server.terminate()
    assert server.wait(timeout=60) == 0
    server.stdout.close()


def measured(url: str, token: str) -> dict:
    with amlsdk.connect(url, token=token) as ws:
        experiment = ws.projects.create("benchmark").experiments.create("benchmark")
        with experiment.start_run():  # modules are loaded and tables made here
            pass
        return {
            "round_trip_ms": milliseconds(ws.refresh, ROUND_TRIPS),
            "plain_round_trip_ms": plain(url, token),
            "start_end_ms": milliseconds(lambda: start_and_end(experiment), RUNS),
        }


def plain(url: str, token: str) -> float:
    """The same without amlsdk on the client's side."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        return milliseconds(lambda: session.get(f"{url}/v1/workspace").json(), ROUND_TRIPS)


def start_and_end(experiment: amlsdk.Experiment) -> None:
    with experiment.start_run():
        pass


def milliseconds(work, times: int) -> float:
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1e3


if __name__ == "__main__":
    print(json.dumps(main()))
