"""What the peers' scripts share: a store of their own, and a clock."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def sqlite_store() -> Iterator[Path]:
    """Run in an empty folder, so that MLflow makes its default SQLite store there."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.set_experiment("benchmark")
        yield folder


def seconds(work: Callable[[], object]) -> float:
    """How long a call took."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """The median of several calls."""
    return statistics.median(seconds(work) for _ in range(repeats))


def fresh_process_seconds(code: str, repeats: int) -> float:
    """The median time of a new interpreter that runs this code, less that of one that runs nothing."""

    def start(text: str) -> float:
        return median_seconds(lambda: subprocess.run([sys.executable, "-c", text], check=True), repeats)

    start(code)  # compiled and in the page cache from here on
    return start(code) - start("pass")


def report(results: dict[str, object]) -> None:
    """Print the results as one JSON object; MLflow itself writes to standard error."""
    print(json.dumps(results))
