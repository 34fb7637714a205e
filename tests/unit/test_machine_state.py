"""What is told of the machine, its limits and its GPUs."""

import json
import os
import sys
from types import SimpleNamespace

import psutil
import pytest

from amlsdk.machine.gpus import open_gpus
from amlsdk.machine.limits import memory_limit_bytes, usable_cpu_count
from amlsdk.machine.state import machine_state, python_state


class FakeDriver(SimpleNamespace):
    """The functions of pynvml, over two devices."""

    def __init__(self):
        super().__init__(open=0)

    def nvmlInit(self):  # noqa: N802
        self.open += 1

    def nvmlShutdown(self):  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetCount(self):  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802
        return index

    def nvmlDeviceGetName(self, handle):  # noqa: N802
        return b"Old driver" if handle else "New driver"

    def nvmlDeviceGetMemoryInfo(self, handle):  # noqa: N802
        return SimpleNamespace(total=1000, used=250 * (handle + 1))

    def nvmlDeviceGetUtilizationRates(self, handle):  # noqa: N802
        return SimpleNamespace(gpu=40 + handle)


@pytest.fixture
def driver(monkeypatch):
    fake = FakeDriver()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


def test_the_state_of_this_machine_is_json_and_agrees_with_psutil():
    state = machine_state()
    json.dumps(state)
    assert state["memory_bytes"] == pytest.approx(psutil.virtual_memory().total, rel=0.01)
    assert state["cpu_count"] == os.cpu_count()
    assert 0 < state["usable_cpu_count"] <= state["cpu_count"]
    assert state["host"]
    assert state["system"]


def test_the_state_of_this_python():
    state = python_state()
    assert state["version"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert state["executable"] == sys.executable


def test_gpus_are_named_with_their_memory_and_the_driver_is_closed(driver):
    gpus = machine_state()["gpus"]
    assert gpus == [{"name": "New driver", "memory_bytes": 1000}, {"name": "Old driver", "memory_bytes": 1000}]
    assert driver.open == 0


def test_a_driver_that_fails_means_no_gpus(driver, monkeypatch):
    def fail():
        raise RuntimeError("driver/library version mismatch")

    monkeypatch.setattr(driver, "nvmlInit", fail)
    with open_gpus() as gpus:
        assert gpus == ()
    assert machine_state()["gpus"] == []


def test_an_error_inside_the_block_is_not_swallowed(driver):
    with pytest.raises(KeyError), open_gpus():
        raise KeyError
    assert driver.open == 0


def lay_out(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {"cgroups": folder / "cgroups", "own": folder / "own"}


def test_the_tightest_limit_of_all_groups_above_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    places = lay_out(
        tmp_path,
        {
            "own": "0::/pod/job\n",
            "cgroups/pod/cpu.max": "150000 100000\n",
            "cgroups/pod/job/cpu.max": "max 100000\n",
            "cgroups/pod/memory.max": "max\n",
            "cgroups/pod/job/memory.max": "1073741824\n",
        },
    )
    assert usable_cpu_count(**places) == 1.5
    assert memory_limit_bytes(**places) == 1 << 30


def test_limits_of_version_1(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    places = lay_out(
        tmp_path,
        {
            "own": "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n",
            "cgroups/cpu/cpu.cfs_quota_us": "50000",
            "cgroups/cpu/cpu.cfs_period_us": "100000",
            "cgroups/memory/memory.limit_in_bytes": "9223372036854771712",
        },
    )
    assert usable_cpu_count(**places) == 0.5
    assert memory_limit_bytes(**places) is None


def test_affinity_counts_where_there_is_no_quota(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert usable_cpu_count(cgroups=tmp_path, own=tmp_path / "own") == 3
    assert memory_limit_bytes(cgroups=tmp_path, own=tmp_path / "own") is None
