"""From `deploy` to the first prediction; update, rollback and the death of a worker under 1 000 requests a second."""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import amlsdk

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

RATE = 1000
ROUNDS = 5
# The load is sent by a process of its own, so that it does not wait for what is measured here.
SENDER = """
import asyncio, json, sys, threading
from load_client import Load
load = Load(int(sys.argv[1]), sys.argv[2].encode(), key=sys.argv[3], rate=float(sys.argv[4]))
threading.Thread(target=lambda: (sys.stdin.read(), load.stop()), daemon=True).start()
asyncio.run(load.run())
took = sorted(load.seconds)
found = {
    "requests": len(took),
    "failed": len(load.failures),
    "p50_ms": round(1000 * took[len(took) // 2], 2),
    "p99_ms": round(1000 * took[len(took) * 99 // 100], 2),
    "worst_ms": round(1000 * took[-1], 1),
    "failures": [text for _, text in load.failures[:3]],
}
print(json.dumps(found))
"""


def main() -> dict:
    """Measure in a temporary folder; seconds, milliseconds, megabytes."""
    table = load_wine(as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(table.data, table.target)
    with (
        tempfile.TemporaryDirectory(prefix="bench-deploy-", ignore_cleanup_errors=True) as name,
        amlsdk.connect(Path(name) / "workspace") as workspace,
    ):
        registered = workspace.models.create("wine", model)
        manifest = registered.create_manifest("wine", sample=table.data.head(5))
        image, other = manifest.build_image("wine"), manifest.build_image("wine")
        rows = table.data.head(1)
        cold_s, warm_s = measure_starts(image, rows)
        deployment = image.deploy("wine")
        try:
            idle = measure_idle(deployment)
            return {
                "first_prediction_cold_s": round(cold_s, 2),
                "first_prediction_warm_s": round(warm_s, 2),
                **idle,
                **measure_changes(deployment, image, other, rows),
                **measure_death(deployment, rows),
            }
        finally:
            deployment.stop()


def measure_starts(image, rows):
    """Return how long it takes with nothing laid out yet, and the median of later ones."""
    took = []
    for number in range(ROUNDS):
        begun = time.monotonic()
        deployment = image.deploy(f"start-{number}")
        deployment.predict(rows)
        took.append(time.monotonic() - begun)
        deployment.stop()
    return took[0], statistics.median(took[1:])


def measure_idle(deployment):
    process = psutil.Process(deployment.record.owner.pid)
    time.sleep(3)
    begun, used = time.monotonic(), sum(process.cpu_times()[:2])
    time.sleep(20)
    return {
        "supervisor_mb": round(process.memory_info().rss / 1e6),
        "worker_mb": round(process.children()[0].memory_info().rss / 1e6),
        "supervisor_cpu_percent": round(100 * (sum(process.cpu_times()[:2]) - used) / (time.monotonic() - begun), 2),
    }


def measure_changes(deployment, image, other, rows):
    """Update and roll back under load."""
    with load(deployment, rows) as found:
        time.sleep(2)
        begun = time.monotonic()
        deployment.update(other)
        update_s = time.monotonic() - begun
        time.sleep(2)
        rollbacks = []
        for _ in range(ROUNDS):
            begun = time.monotonic()
            deployment.rollback()
            rollbacks.append(time.monotonic() - begun)
            time.sleep(1)
    assert image.id != other.id
    return {
        "update_s": round(update_s, 2),
        "rollback_ms": round(1000 * statistics.median(rollbacks)),
        "rollback_worst_ms": round(1000 * max(rollbacks)),
        **{f"update_{name}": value for name, value in found.items()},
    }


def measure_death(deployment, rows):
    """Kill one of two workers under load, and time until there are two again."""
    deployment.scale(2)
    with load(deployment, rows) as found:
        time.sleep(2)
        process = psutil.Process(deployment.record.owner.pid)
        workers = {child.pid for child in process.children()}
        # One that stands by for a rollback takes no requests; the newest ones do.
        killed = max(workers)
        begun = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        while deployment.refresh().record.restarts == 0 or deployment.record.reason:
            time.sleep(0.02)
        back_s = time.monotonic() - begun
        time.sleep(2)
    return {"death_back_and_told_s": round(back_s, 2), **{f"death_{name}": value for name, value in found.items()}}


@contextlib.contextmanager
def load(deployment, rows):
    """Send requests meanwhile; yields a mapping that has the figures afterwards."""
    port = deployment.scoring_uri.rpartition(":")[2].partition("/")[0]
    body = json.dumps({"data": json.loads(rows.to_json(orient="records"))})
    command = [sys.executable, "-c", SENDER, port, body, deployment.keys().primary, str(RATE)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent / "tests")}
    sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    found = {}
    try:
        yield found
    finally:
        found.update(json.loads(sender.communicate("", timeout=60)[0]))


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
