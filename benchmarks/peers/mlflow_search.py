"""Search 10 000 runs by metric, ordered: 1 000 rows with all metrics and params.

The runs are written by SQL into MLflow's own tables, as its client would need several minutes for them.
"""

import random
import sqlite3
import uuid
from pathlib import Path

from timing import median_seconds, report, sqlite_store

RUNS = 10_000
METRICS = ("accuracy", *(f"metric_{number}" for number in range(9)))
PARAMS = ("depth", *(f"param_{number}" for number in range(4)))
ROWS = 1000


def main() -> dict[str, object]:
    import mlflow

    with sqlite_store() as folder:
        with mlflow.start_run():  # the store's tables are made here
            mlflow.log_metric("accuracy", 0.0)
        client = mlflow.MlflowClient()
        experiment = mlflow.get_experiment_by_name("benchmark").experiment_id
        fill(folder / "mlflow.db", int(experiment))

        def search() -> None:
            found = client.search_runs(
                [experiment],
                "attributes.status = 'FINISHED' and metrics.accuracy > 0.5",
                max_results=ROWS,
                order_by=["metrics.accuracy DESC"],
            )
            assert len(found) == ROWS
            assert len(found[0].data.metrics) == len(METRICS)
            assert len(found[0].data.params) == len(PARAMS)

        search()
        return {"search_10000_ms": median_seconds(search, 5) * 1e3}


def fill(database: Path, experiment: int) -> None:
    seeded = random.Random(7)
    connection = sqlite3.connect(database)
    for number in range(RUNS):
        name, started = uuid.UUID(int=seeded.getrandbits(128)).hex, 1_790_000_000_000 + number
        insert(connection, "runs", run_row(name, number, experiment, started))
        for key in METRICS:
            point = {
                "key": key,
                "value": seeded.random(),
                "timestamp": started,
                "run_uuid": name,
                "step": 0,
                "is_nan": 0,
            }
            insert(connection, "metrics", point)
            insert(connection, "latest_metrics", point)
        for key in PARAMS:
            insert(connection, "params", {"key": key, "value": str(seeded.randrange(16)), "run_uuid": name})
    connection.commit()
    connection.execute("analyze")
    connection.close()


def run_row(name: str, number: int, experiment: int, started: int) -> dict[str, object]:
    return {
        "run_uuid": name,
        "name": f"train-{number}",
        "source_type": "LOCAL",
        "user_id": "someone",
        "status": "FINISHED" if number % 10 else "FAILED",
        "start_time": started,
        "end_time": started + 30_000,
        "lifecycle_stage": "active",
        "artifact_uri": f"mlruns/{name}",
        "experiment_id": experiment,
    }


def insert(connection: sqlite3.Connection, table: str, row: dict[str, object]) -> None:
    marks = ", ".join("?" for _ in row)
    connection.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", tuple(row.values()))  # noqa: S608  # names above


if __name__ == "__main__":
    report(main())
