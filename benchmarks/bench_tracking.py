"""What a user's script does, through the public API: log, end, read back; start and end runs; long series."""

import json
import statistics
import tempfile
import time

import amlsdk

POINTS = 10_000
RUNS = 100
SERIES = (100_000, 1_000_000)
REPEATS = 5


def main() -> dict:
    """Measure in a temporary workspace, as a folder."""
    with tempfile.TemporaryDirectory() as folder, amlsdk.connect(folder) as ws:
        experiment = ws.projects.create("benchmark").experiments.create("benchmark")
        with experiment.start_run() as run:  # modules are loaded and tables made here
            run.log("warm", 1.0)
        assert run.metrics == {"warm": 1.0}
        results = {**log_one_by_one(experiment), **start_and_end(experiment)}
        for points in SERIES:
            results[f"history_{points}_s"] = long_history(experiment, points)
        return results


def log_one_by_one(experiment: amlsdk.Experiment) -> dict:
    """10 000 points, the end of the run and the reading of all of them; and the call alone."""
    begun = time.perf_counter()
    with experiment.start_run() as run:
        for step in range(POINTS):
            run.log("loss", 1.0 / (step + 1), step=step)
    series = run.series("loss")
    whole = time.perf_counter() - begun
    assert len(series) == POINTS
    return {"log_10000_s": whole, "log_call_us": one_call(experiment)}


def one_call(experiment: amlsdk.Experiment) -> float:
    took = []
    clock = time.perf_counter
    with experiment.start_run() as run:
        for step in range(POINTS):
            before = clock()
            run.log("loss", 1.0 / (step + 1), step=step)
            took.append(clock() - before)
    return statistics.median(took) * 1e6


def start_and_end(experiment: amlsdk.Experiment) -> dict:
    took = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        with experiment.start_run():
            pass
        took.append(time.perf_counter() - begun)
    return {"start_end_ms": statistics.median(took) * 1e3}


def long_history(experiment: amlsdk.Experiment, points: int) -> float:
    with experiment.start_run() as run:
        for step in range(points):
            run.log("loss", 1.0 / (step + 1), step=step)
    assert run.metrics  # the journal is read in once, whoever asks first; the median below is of later readings
    took = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        series = run.series("loss")
        took.append(time.perf_counter() - begun)
        assert len(series.values) == points
    return statistics.median(took)


if __name__ == "__main__":
    print(json.dumps(main()))
