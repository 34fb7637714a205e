"""The search of runs at 10 000 and 100 000 runs of an experiment, each with 10 metrics and 5 params."""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import amlsdk
from amlsdk.storage.catalogue import schema
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.summaries import refresh

SIZES = (10_000, 100_000)
METRICS = ("accuracy", *(f"metric_{number}" for number in range(9)))
PARAMS = ("depth", *(f"param_{number}" for number in range(4)))
REPEATS = 9
BATCH = 5000

SEARCHES = {
    "metric_filter_ordered_1000": {
        "filter": "status = 'Completed' and metrics.accuracy > 0.5",
        "order_by": "metrics.accuracy desc",
        "limit": 1000,
    },
    "newest_100": {"limit": 100},
    "newest_1000": {"limit": 1000},
    "param_filter_100": {"filter": "params.depth = 4", "limit": 100},
    "rare_param_100": {"filter": "params.param_0 = '17' and status = 'Completed'", "limit": 100},
    "best_one": {"filter": "status = 'Completed'", "order_by": "metrics.accuracy desc", "limit": 1},
    "ordered_by_two_keys_100": {"order_by": "params.depth desc, metrics.accuracy", "limit": 100},
    "ordered_by_start_100": {"filter": "metrics.accuracy > 0.5", "order_by": "started_at desc", "limit": 100},
    "nothing_found": {"filter": "metrics.accuracy > 0.5 and not metrics.accuracy > 0.4", "limit": 100},
}


def main() -> dict[str, Any]:
    """Return the median milliseconds of each search by the number of runs."""
    results: dict[str, Any] = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            with amlsdk.connect(folder) as workspace:
                workspace.projects.create("p").experiments.create("e")
            fill(Path(folder), size)
            with amlsdk.connect(folder) as workspace:
                experiment = workspace.experiments.get("e")
                results[f"runs_{size}_ms"] = {name: measure(experiment, asked) for name, asked in SEARCHES.items()}
    small, large = (results[f"runs_{size}_ms"]["metric_filter_ordered_1000"] for size in SIZES)
    return {**results, "metric_filter_ordered_growth": round(large / small, 2)}


def measure(experiment: amlsdk.Experiment, asked: dict[str, Any]) -> float:
    """Return the median of some searches, after one that warms up; all metrics and params of each run are there."""
    times = []
    for _ in range(REPEATS + 1):
        begun = time.perf_counter()
        found = [(run.metrics, run.params) for run in experiment.runs.search(**asked)]
        times.append((time.perf_counter() - begun) * 1000)
        assert all((len(metrics), len(params)) == (len(METRICS), len(PARAMS)) for metrics, params in found)
    return round(statistics.median(times[1:]), 2)


def fill(folder: Path, size: int) -> None:
    """Write so many runs, past the handlers."""
    random.seed(7)
    database = Database(f"sqlite:///{folder / 'catalogue.sqlite'}")
    with database.read() as connection:
        experiment = connection.execute(sa.select(schema.experiment)).one()
    for start in range(1, size + 1, BATCH):
        keys = range(start, min(start + BATCH, size + 1))
        place = {"experiment_id": experiment.id}
        with database.write() as connection:
            connection.execute(sa.insert(schema.run), [run_row(key, experiment) for key in keys])
            connection.execute(sa.insert(schema.metric), [row | place for key in keys for row in metric_rows(key)])
            connection.execute(sa.insert(schema.param), [row | place for key in keys for row in param_rows(key)])
            for key in keys:
                refresh(connection, key)
    database.close()


def run_row(key: int, experiment: Any) -> dict[str, Any]:
    """Return a run: nine of ten are Completed."""
    started = 1_790_000_000_000_000 + key * 60_000_000
    return {
        "pk": key,
        "id": f"{key:026}",
        "number": key,
        "name": f"train-{key}",
        "project_id": experiment.project_id,
        "experiment_id": experiment.id,
        "kind": "interactive",
        "status": "Completed" if key % 10 else "Failed",
        "user": "someone",
        "created_at": started,
        "started_at": started,
        "ended_at": started + 30_000_000,
        "cancel_requested": False,
    }


def metric_rows(key: int) -> Iterator[dict[str, Any]]:
    """Return the summaries of a run's metrics."""
    for name in METRICS:
        value = random.random()
        yield {
            "run_pk": key,
            "name": name,
            "count": 100,
            "last": value,
            "min": value / 2,
            "max": value * 2,
            "last_step": 99,
            "last_time": key,
            "last_writer": "w",
            "last_offset": 0,
        }


def param_rows(key: int) -> Iterator[dict[str, Any]]:
    """Return the params of a run: `depth` has 16 values, the others a thousand."""
    for name in PARAMS:
        value = random.randrange(16 if name == "depth" else 1000)
        yield {
            "run_pk": key,
            "name": name,
            "value": str(value),
            "number": float(value),
            "time": key,
        }


if __name__ == "__main__":
    print(json.dumps(main()))
