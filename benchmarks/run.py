"""Runs every benchmark in turn with its peer, some times, and writes the results and docs/benchmarks.md."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from report import page  # noqa: E402  # found beside this file, from wherever it is started

ROUNDS = 3
# What takes minutes on the peer's side is measured once.
LONG = frozenset({"bench_image", "bench_manifest"})
PAGE = HERE.parent / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="the interpreter of an environment that has the peers")
    parser.add_argument("--only", default="", help="measure only what has this in its name, and keep other results")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often both sides are measured")
    options = parser.parse_args()
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    for script in sorted(HERE.glob("bench_*.py")):
        peers = sorted((HERE / "peers").glob(script.name.replace("bench_", "ml*_")))
        sides = {script: Path(sys.executable), **{peer: Path(options.peers) for peer in peers}}
        measure_in_turn(sides, results, options.only, rounds=options.rounds if peers and script.stem not in LONG else 1)
    write(results / "machine.json", machine() | {"rounds": options.rounds})
    measured = {file.stem: json.loads(file.read_text("utf-8")) for file in sorted(results.glob("*.json"))}
    PAGE.write_text(page(measured), "utf-8")
    print(f"wrote {PAGE.relative_to(HERE.parent)}")


def measure_in_turn(scripts: dict[Path, Path], results: Path, only: str, *, rounds: int = ROUNDS) -> None:
    """Run scripts by their interpreters one after the other, several times, and keep the median of each figure.

    A machine is faster at one time than at another: what is compared is measured as close together as can be.
    """
    wanted = {script: python for script, python in scripts.items() if only in script.stem}
    found: dict[Path, list[object]] = {script: [] for script in wanted}
    for turn in range(rounds):
        for script, python in wanted.items():
            print(f"{script.stem} ({turn + 1} of {rounds}) ...", flush=True)
            found[script].append(measure(python, script))
    for script, each in found.items():
        write(results / f"{script.stem}.json", middle(each))


def middle(each: list[Any]) -> object:
    """Return the median of numbers; of objects, that of each member; of anything else, the last."""
    if isinstance(each[0], dict):
        return {key: middle([one[key] for one in each]) for key in each[0]}
    return statistics.median(each) if isinstance(each[0], (int, float)) else each[-1]


def measure(python: Path, script: Path) -> object:
    """Run a script in a process of its own, whose output is one JSON object."""
    done = subprocess.run([python, script], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{script.stem} ended with exit code {done.returncode}; its last words:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout)


def write(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def machine() -> dict[str, object]:
    from importlib.metadata import version

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": dt.datetime.now(dt.timezone.utc).date().isoformat(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "amlsdk": version("amlsdk"),
        "load": round(os.getloadavg()[0], 1),
    }


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
