"""A team's service on loopback: start to ready, memory, a small round trip, start and end of a run."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
import requests

import amlsdk

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from served import Served, serving  # what the tests have

STARTS = 5
ROUND_TRIPS = 500
RUNS = 100


def main() -> dict[str, float]:
    """Measure servers of their own, over SQLite and a folder."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AMLSDK_HOME"] = f"{folder}/home"
        starts = [start(Path(folder) / f"start{number}") for number in range(STARTS)]
        with serving(Path(folder) / "service") as server:
            idle = memory(server)
            return {
                "start_s": statistics.median(starts),
                "idle_mb": idle,
                **measured(server.url, server.token),
                "used_mb": memory(server),
            }


def start(root: Path) -> float:
    """Start a new service; the time includes that of the interpreter, and of making its tables."""
    begun = time.perf_counter()
    with serving(root) as server:
        assert requests.get(f"{server.url}/readyz", timeout=10).ok
        return time.perf_counter() - begun


def memory(server: Served) -> float:
    return psutil.Process(server.process.pid).memory_info().rss / 1e6


def measured(url: str, token: str) -> dict[str, float]:
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
