"""What a line of a journal costs: written, read, and in memory."""

import gc
import json
import statistics
import tempfile
import time
from pathlib import Path

from amlsdk.journal.lines import parse_batch
from amlsdk.journal.writer import JournalWriter
from amlsdk.records.ids import new_id

CALLS = 200_000
LINES = 1_000_000
POINTS = 10_000_000


def main() -> dict:
    """Measure `metric`, `parse_batch` and the growth of a process that logs ten million points."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Growth first: memory that the others have freed would hide it.
        return {**growth(folder), **call(folder), **parse(folder)}


def call(folder: Path) -> dict:
    """Median and p99 of one call of `metric`, in microseconds, the clock's own cost included."""
    writer = JournalWriter(folder, new_id())
    took = []
    clock, metric = time.perf_counter_ns, writer.metric
    for number in range(CALLS):
        value = number * 0.37
        before = clock()
        metric("loss", value)
        took.append(clock() - before)
    writer.close()
    took.sort()
    return {"metric_median_us": statistics.median(took) / 1000, "metric_p99_us": took[int(CALLS * 0.99)] / 1000}


def parse(folder: Path) -> dict:
    """Metric lines read a second, best of three, in chunks as a shipper sends them."""
    writer = JournalWriter(folder, new_id())
    for number in range(LINES // 2):
        writer.metrics({"loss": number * 0.37, "val/accuracy": 1 / (number + 1)})
    writer.close()
    data = writer.path.read_bytes()
    rates = []
    for _ in range(3):
        before, offset = time.perf_counter(), 0
        while offset < len(data):
            offset += parse_batch(data[offset : offset + (4 << 20)], first_offset=offset).used
        rates.append(LINES / (time.perf_counter() - before))
    writer.path.unlink()
    return {"parse_lines_per_s": round(max(rates))}


def growth(folder: Path) -> dict:
    """Growth of resident memory over ten million points, in MiB."""
    writer = JournalWriter(folder, new_id())
    writer.metric("loss", 0.0)
    gc.collect()
    before, metric = resident(), writer.metric
    for number in range(POINTS):
        metric("loss", number * 0.37)
    writer.flush()
    grown = resident() - before
    writer.close()
    return {"growth_10m_points_mib": round(grown / 2**20, 1)}


def resident() -> int:
    """Resident memory of this process, in bytes."""
    import psutil

    return psutil.Process().memory_info().rss


if __name__ == "__main__":
    print(json.dumps(main()))
