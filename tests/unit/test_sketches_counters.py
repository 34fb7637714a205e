"""Counters are read while they are written, and outlive their process."""

import os
import signal
import subprocess
import sys

import pytest

from amlsdk.sketches.counters import Counters, read_traffic


def test_counts_of_all_processes_of_a_folder_are_added_up(tmp_path):
    for name in ("a", "b"):
        counters = Counters(tmp_path / f"{name}.counters")
        counters.count_request(200, 0.002)
        counters.count_request(422, 0.001)
        counters.count_batch(3)
    traffic = read_traffic(tmp_path)
    assert traffic.requests == {200: 2, 422: 2}
    assert (traffic.batches, traffic.rows) == (2, 6)
    assert traffic.latency.count == 4
    assert traffic.latency.sum == pytest.approx(0.006)
    assert traffic.batch_sizes.quantile(0.5) == pytest.approx(3, rel=0.025)


def test_counts_of_a_killed_process_are_still_there(tmp_path):
    code = (
        "import os, signal, sys, pathlib\n"
        "from amlsdk.sketches.counters import Counters\n"
        "Counters(pathlib.Path(sys.argv[1])).count_request(200, 0.1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, os.fspath(tmp_path / "x.counters")], timeout=20)
    assert ended.returncode == -signal.SIGKILL
    assert read_traffic(tmp_path).requests == {200: 1}


def test_a_file_that_is_being_made_is_passed_over(tmp_path):
    (tmp_path / "new.counters").write_bytes(b"")
    (tmp_path / "other.counters").write_bytes(b"not counters")
    assert read_traffic(tmp_path).requests == {}


def test_counters_without_a_file_are_read_from_the_process_itself():
    counters = Counters(None)
    counters.count_request(503, 1.0)
    assert counters.traffic().requests == {503: 1}


def test_a_folder_without_counters_has_no_traffic(tmp_path):
    assert read_traffic(tmp_path / "none").requests == {}
