"""Snapshots of 10 000 files, 1 GB in all, beside `cp -r` of the same tree; memory with a file of 2 GB."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from amlsdk.filesets.checkout import checkout
from amlsdk.filesets.snapshot import snapshot
from amlsdk.storage.blobs.folder import FolderBlobStore

FOLDERS, FILES, SIZE = 100, 100, 100_000
RACY_S = 2.5  # files younger than 2 s are hashed again, as they may change within a tick of the clock
MEMORY = """
import resource, sys
from pathlib import Path
from amlsdk.filesets.checkout import checkout
from amlsdk.filesets.snapshot import snapshot
from amlsdk.storage.blobs.folder import FolderBlobStore
def peak_mb():
    # On Linux getrusage's peak is inherited from the parent through fork and exec: VmHWM is this program's own.
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
before = peak_mb()
store = FolderBlobStore(sys.argv[2])
record = snapshot(sys.argv[1], store).record
checkout(record, store, sys.argv[3])
print(before, peak_mb() - before)
"""


def main() -> dict:
    """Measure in a temporary folder; seconds, megabytes, counts."""
    with tempfile.TemporaryDirectory(prefix="bench-snapshot-") as name:
        folder = Path(name)
        results = measure_tree(folder)
        for path in folder.iterdir():
            shutil.rmtree(path)
        return results | measure_memory(folder)


def measure_tree(folder):
    tree, store, cache = folder / "tree", FolderBlobStore(folder / "store"), folder / "cache"
    make_tree(tree)
    copies = [timed(copy_and_sync, tree, folder / "copy")[0]]
    first_s, first = timed(snapshot, tree, store, cache=cache)
    copies.append(timed(copy_and_sync, tree, folder / "copy")[0])
    wait_until_settled(tree)
    seconds, stored = [], []
    for number in range(5):
        (tree / "050" / "050.bin").write_bytes(random.Random(number).randbytes(SIZE))
        elapsed, taken = timed(snapshot, tree, store, cache=cache)
        seconds.append(elapsed)
        stored.append(taken.new_blobs)
    checkout_s, _ = timed(checkout, taken.record, store, folder / "out")
    return {
        "files": FOLDERS * FILES,
        "bytes": first.record.size_bytes,
        "snapshot_first_s": round(first_s, 3),
        "first_new_blobs": first.new_blobs,
        "cp_r_s": round(sum(copies) / len(copies), 3),
        "cp_r_each_s": [round(each, 3) for each in copies],
        "first_to_cp_r": round(first_s * len(copies) / sum(copies), 2),
        "snapshot_second_s": round(sorted(seconds)[len(seconds) // 2], 3),
        "snapshot_second_each_s": [round(each, 3) for each in seconds],
        "second_new_blobs": max(stored),
        "checkout_s": round(checkout_s, 3),
    }


def measure_memory(folder):
    (folder / "tree").mkdir()
    with (folder / "tree" / "big.bin").open("wb") as file:
        chunk = random.Random(0).randbytes(1 << 20)
        for number in range(2048):
            file.write(number.to_bytes(8, "big") + chunk[8:])
    arguments = [folder / "tree", folder / "store", folder / "out"]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    before, growth = map(float, done.stdout.split())
    return {"memory_2gb_before_mb": round(before, 1), "memory_2gb_growth_mb": round(growth, 1)}


def make_tree(tree):
    seeded = random.Random(0)
    for number in range(FOLDERS):
        (tree / f"{number:03}").mkdir(parents=True)
        for below in range(FILES):
            (tree / f"{number:03}" / f"{below:03}.bin").write_bytes(seeded.randbytes(SIZE))
    (tree / ".gitignore").write_text("*.pyc\n*.log\n/build/\n**/cache/\n.idea/\n")
    os.sync()


def wait_until_settled(tree):
    newest = max(path.stat().st_ctime for path in tree.rglob("*"))
    while time.time() < newest + RACY_S:
        time.sleep(0.1)


def copy_and_sync(source, target):
    shutil.rmtree(target, ignore_errors=True)
    os.sync()
    subprocess.run([shutil.which("cp"), "-r", str(source), str(target)], check=True)
    os.sync()


def timed(function, *arguments, **options):
    before = time.perf_counter()
    result = function(*arguments, **options)
    return time.perf_counter() - before, result


if __name__ == "__main__":
    print(json.dumps(main()))
