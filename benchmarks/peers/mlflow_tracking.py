"""Log 10 000 metrics one by one, end the run, read all back; start and end runs; a history of 100 000 points."""

import statistics
import time

from timing import median_seconds, report, seconds, sqlite_store

POINTS = 10_000
RUNS = 100
HISTORY = 100_000
BATCH = 1000


def main() -> dict[str, object]:
    import mlflow

    with sqlite_store():
        with mlflow.start_run():  # the store's tables are made here
            mlflow.log_metric("warm", 1.0)
        return {**log_one_by_one(mlflow), **start_and_end(mlflow), **long_history(mlflow)}


def log_one_by_one(mlflow) -> dict[str, object]:
    took = []
    begun = time.perf_counter()
    with mlflow.start_run() as run:
        for step in range(POINTS):
            before = time.perf_counter()
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
            took.append(time.perf_counter() - before)
    read = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    whole = time.perf_counter() - begun
    assert len(read) == POINTS
    return {"log_10000_s": whole, "log_call_us": statistics.median(took) * 1e6}


def start_and_end(mlflow) -> dict[str, object]:
    def once() -> None:
        with mlflow.start_run():
            pass

    return {"start_end_ms": median_seconds(once, RUNS) * 1e3}


def long_history(mlflow) -> dict[str, object]:
    from mlflow.entities import Metric

    client = mlflow.MlflowClient()
    with mlflow.start_run() as run:
        for start in range(0, HISTORY, BATCH):
            points = [Metric("loss", 1.0 / (step + 1), step, step) for step in range(start, start + BATCH)]
            client.log_batch(run.info.run_id, metrics=points)
    took = seconds(lambda: client.get_metric_history(run.info.run_id, "loss"))
    return {"history_100000_s": took}


if __name__ == "__main__":
    report(main())
