"""From `submit` to the first line of the script, and the supervisor's memory with an output of 2 GB."""

import json
import statistics
import tempfile
import time
from pathlib import Path

import amlsdk

ROUNDS = 10
SCRIPT = """
import time
begun = time.time()
import os, pathlib
pathlib.Path(os.environ["AMLSDK_OUTPUTS"], "begun").write_text(repr(begun))
"""
LARGE = """
import os, pathlib
with open(os.path.join(os.environ["AMLSDK_OUTPUTS"], "large"), "wb") as file:
    file.truncate(2 << 30)
"""
PEAK = "VmHWM:"


def main() -> dict:
    """Measure in a temporary folder; milliseconds, seconds, megabytes."""
    with tempfile.TemporaryDirectory(prefix="bench-submit-") as name:
        folder = Path(name)
        project = folder / "project"
        project.mkdir()
        (project / "train.py").write_text(SCRIPT)
        (project / "large.py").write_text(LARGE)
        with amlsdk.connect(str(folder / "workspace")) as workspace:
            experiment = workspace.projects.get_or_create("bench", folder=str(project)).experiments.get_or_create("e")
            measure_start(experiment)  # warms what is cached: byte code, digests of the project's files
            starts = [measure_start(experiment) for _ in range(ROUNDS)]
            return {
                "first_line_ms": round(statistics.median(starts)),
                "first_line_worst_ms": round(max(starts)),
                **measure_large(experiment),
            }


def measure_start(experiment):
    begun = time.time()
    run = experiment.submit("train.py")
    run.wait(timeout_s=120)
    return (float(run.outputs.read_text("begun")) - begun) * 1000


def measure_large(experiment):
    run = experiment.submit("large.py")
    begun, peak = time.monotonic(), 0
    while run.status not in ("Completed", "Failed", "Canceled"):
        peak = max(peak, peak_kb(run.record.owner))
        run.refresh()
        time.sleep(0.05)
    return {"large_output_s": round(time.monotonic() - begun, 1), "supervisor_peak_mb": round(peak / 1024)}


def peak_kb(process):
    try:
        status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except (AttributeError, FileNotFoundError):
        return 0  # not claimed yet, or gone
    return next((int(line.split()[1]) for line in status if line.startswith(PEAK)), 0)


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
