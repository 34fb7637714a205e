"""Sampling the load of the machine."""

import os
import queue
import threading
import time

import psutil
import pytest

from amlsdk.errors import InvalidArgument
from amlsdk.machine.load import Load
from amlsdk.machine.system_metrics import SystemMetrics


def sampling_threads():
    return [one for one in threading.enumerate() if one.name == "amlsdk-system-metrics"]


def test_samples_are_numbers_in_their_ranges():
    samples = queue.SimpleQueue()
    metrics = SystemMetrics(samples.put, interval_s=0.05)
    metrics.start()
    try:
        samples.get(timeout=10)
        sample = samples.get(timeout=10)
    finally:
        metrics.stop()
    for name in ("system/cpu_percent", "system/memory_percent", "system/disk_percent"):
        assert 0 <= sample[name] <= 100
    assert sample["system/process_memory_bytes"] > 1 << 20
    assert all(type(value) is float for value in sample.values())


def test_nothing_is_logged_before_the_first_interval_and_nothing_is_left_after_stop():
    samples = []
    metrics = SystemMetrics(samples.append, interval_s=3600)
    metrics.start()
    metrics.start()
    assert len(sampling_threads()) == 1
    began = time.monotonic()
    metrics.stop()
    metrics.stop()
    assert time.monotonic() - began < 2
    assert sampling_threads() == []
    assert samples == []


def test_it_can_be_stopped_from_its_own_callback():
    stopped = threading.Event()

    def stop(_):
        metrics.stop()
        stopped.set()

    metrics = SystemMetrics(stop, interval_s=0.02)
    metrics.start()
    assert stopped.wait(10)


def test_a_log_that_raises_ends_the_sampling():
    def fail(_):
        raise RuntimeError("the run has ended")

    metrics = SystemMetrics(fail, interval_s=0.02)
    metrics.start()
    (thread,) = sampling_threads()
    thread.join(10)
    assert not thread.is_alive()
    metrics.stop()


def test_what_psutil_can_not_read_is_left_out(monkeypatch):
    def fail(*_, **__):
        raise psutil.AccessDenied

    for name in ("cpu_times", "virtual_memory", "disk_io_counters", "net_io_counters"):
        monkeypatch.setattr(psutil, name, fail)
    sample = Load(()).sample()
    assert set(sample) == {"system/process_memory_bytes", "system/disk_percent"}


def test_a_gpu_that_fails_does_not_hide_the_others():
    class Gpu:
        def __init__(self, index, percent):
            self.index, self._percent = index, percent
            self.used_bytes, self.memory_bytes = 25, 100

        @property
        def percent(self):
            if self._percent is None:
                raise OSError("fell off the bus")
            return self._percent

    sample = Load((Gpu(0, None), Gpu(1, 70.0))).sample()
    assert "system/gpu0_percent" not in sample
    assert sample["system/gpu1_percent"] == 70.0
    assert sample["system/gpu1_memory_percent"] == 25.0


def test_memory_of_child_processes_counts():
    load = Load(())
    alone = load.sample()["system/process_memory_bytes"]
    child = psutil.Popen(
        [os.sys.executable, "-c", "x = bytearray(1 << 27); print(flush=True); input()"], stdin=-1, stdout=-1
    )
    try:
        child.stdout.readline()
        assert load.sample()["system/process_memory_bytes"] > alone + (1 << 26)
    finally:
        child.communicate(b"\n")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_does_not_sample_and_can_stop_at_once():
    metrics = SystemMetrics(lambda _: None, interval_s=0.01)
    metrics.start()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            metrics.stop()
            status = len(sampling_threads())
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(sampling_threads()) == 1
    metrics.stop()


@pytest.mark.parametrize("interval_s", [0, -1, float("nan"), float("inf")])
def test_an_interval_is_above_zero(interval_s):
    with pytest.raises(InvalidArgument, match="interval_s"):
        SystemMetrics(lambda _: None, interval_s=interval_s)
