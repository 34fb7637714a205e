"""Points into a service from twenty processes, each of which logs by the public API; and the cost of `run.log`.

The service is `aml serve` in a process of its own, over SQLite and a folder, and over PostgreSQL.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import amlsdk

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from postgres_server import postgres  # what the tests have
from served import Served, serving

WRITERS = 20
POINTS = 250_000
CALLS = 20_000
TURN = 200
OPTIONS = ("--rate", "0", "--access-log", os.devnull)
QUIET = amlsdk.Config(capture_context=False, capture_source=False, system_metrics_s=None)

# Says when it is ready, waits for a line, logs, and says when all of it is with the service.
WRITER = """
import sys, amlsdk
config = amlsdk.Config(capture_context=False, capture_source=False, system_metrics_s=None)
with amlsdk.connect(sys.argv[1], config=config) as ws:
    with ws.projects.get_or_create("p").experiments.get_or_create("e").start_run() as run:
        print(run.id, flush=True)
        sys.stdin.readline()
        log = run.log
        for step in range(int(sys.argv[2])):
            log("loss", 1.0 / (step + 1), step=step)
        run.flush()
        print("there", flush=True)
"""


def main() -> dict[str, float]:
    """Measure in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["AMLSDK_HOME"] = f"{name}/home"
        with serving(Path(name) / "sqlite", *OPTIONS) as server:
            os.environ["AMLSDK_TOKEN"] = server.token
            found = {"sqlite_points_per_s": from_writers(server.url), **cost_of_log(server)}
        with (
            postgres(durable=True) as database,
            serving(Path(name) / "postgresql", *OPTIONS, "--database", database.new_database()) as server,
        ):
            os.environ["AMLSDK_TOKEN"] = server.token
            return {**found, "postgresql_points_per_s": from_writers(server.url)}


def from_writers(url: str) -> int:
    """Points a second, from the first call of `run.log` until the service has every point."""
    command = [sys.executable, "-c", WRITER, url, str(POINTS)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen(command, **pipes) for _ in range(WRITERS)]
    runs = [writer.stdout.readline().strip() for writer in writers]
    begun = time.perf_counter()
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    assert [writer.stdout.readline() for writer in writers] == ["there\n"] * WRITERS
    took = time.perf_counter() - begun
    for writer in writers:
        writer.communicate()
    with amlsdk.connect(url, config=QUIET) as workspace:
        for run in map(workspace.runs.get, runs):
            assert run.status == "Completed"
            assert list(run.series("loss").steps) == list(range(POINTS))
    return round(WRITERS * POINTS / took)


def cost_of_log(server: Served) -> dict[str, float]:
    """One call of `run.log` with the server up and away beside one to a folder; how soon all is there afterwards."""
    with (
        tempfile.TemporaryDirectory() as folder,
        amlsdk.connect(folder, config=QUIET) as beside,
        amlsdk.connect(server.url, config=QUIET) as workspace,
    ):
        run, of_folder = begin(workspace), begin(beside)
        up = against_folder(run, of_folder, "up")
        run.flush()
        server.kill()
        away = against_folder(run, of_folder, "away")
        server.begin()
        took = time_until_there(server.url, run)
        return {"log_up_to_folder": up, "log_away_to_folder": away, "there_after_return_s": took}


def begin(workspace: amlsdk.Workspace) -> amlsdk.Run:
    return workspace.projects.get_or_create("p").experiments.get_or_create("e").start_run()


def against_folder(run: amlsdk.Run, of_folder: amlsdk.Run, name: str) -> float:
    """Median of a call as a multiple of one that logs to a folder.

    Both are measured in short turns, as this machine is nearly twice as fast at one moment as at another.
    """
    took = {run.id: [], of_folder.id: []}
    clock = time.perf_counter
    for turn in range(CALLS // TURN):
        for each in (run, of_folder):
            log, mine = each.log, took[each.id]
            for step in range(turn * TURN, (turn + 1) * TURN):
                before = clock()
                log(name, 1.0 / (step + 1), step=step)
                mine.append(clock() - before)
    return statistics.median(took[run.id]) / statistics.median(took[of_folder.id])


def time_until_there(url: str, run: amlsdk.Run) -> float:
    """Seconds until a connection that logs nothing sees what was logged while the server was away."""
    back = time.perf_counter()
    with amlsdk.connect(url, config=QUIET) as other:
        while "away" not in other.runs.get(run.id).record.metrics:
            pass
        took = time.perf_counter() - back
        run.complete()
        assert list(other.runs.get(run.id).series("away").steps) == list(range(CALLS))
    return took


if __name__ == "__main__":
    print(json.dumps(main()))
