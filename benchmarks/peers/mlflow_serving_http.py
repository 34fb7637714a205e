"""MLflow's server with one worker: start to ready, memory, a small round trip, start and end of a run."""

import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from timing import report

ROUND_TRIPS = 200
RUNS = 50
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


def main() -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder, server(folder) as (url, took, pid):
        idle = memory_mb(pid)
        import mlflow

        mlflow.set_tracking_uri(url)
        mlflow.set_experiment("benchmark")
        client = mlflow.MlflowClient()
        start_and_end(mlflow)
        return {
            "version": mlflow.__version__,
            "start_s": took,
            "idle_mb": idle,
            "round_trip_ms": milliseconds(lambda: client.get_experiment_by_name("benchmark"), ROUND_TRIPS),
            "start_end_ms": milliseconds(lambda: start_and_end(mlflow), RUNS),
        }


@contextlib.contextmanager
def server(folder: str):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts"]
    begun = time.perf_counter()
    running = subprocess.Popen(
        [Path(sys.executable).with_name("mlflow"), "server", *store, "--port", str(port), "--workers", "1"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # It starts others, which are to end with it.
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until_ready(url)
        yield url, time.perf_counter() - begun, running.pid
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait()


def until_ready(url: str) -> None:
    while True:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()  # noqa: S310  # begun above, on this machine
        except OSError:
            time.sleep(0.01)
        else:
            return


def memory_mb(group: int) -> float:
    """Memory of all processes of a group; pages that they share count for each."""
    total = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if os.getpgid(int(entry.name)) == group:
                total += int((entry / "statm").read_text().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE") / 1e6


def start_and_end(mlflow) -> None:
    with mlflow.start_run():
        pass


def milliseconds(work, times: int) -> float:
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1e3


if __name__ == "__main__":
    # MLflow says on standard output where a run can be seen.
    with contextlib.redirect_stdout(sys.stderr):
        results = main()
    report(results)
