"""One look at how busy a machine is."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping
from typing import Any

from amlsdk.machine.gpus import Gpu

__all__ = ["Load"]

_log = logging.getLogger("amlsdk")


class Load:
    """How busy the machine is, since this object was made.

    Args:
        gpus: Those to watch.
        folder: On the disk whose use is watched.
    """

    def __init__(self, gpus: tuple[Gpu, ...], *, folder: str = ".") -> None:
        import psutil

        self._psutil: Any = psutil
        self._gpus = gpus
        self._folder = folder
        self._last_cpu: tuple[float, float] | None = None
        _what_can_be_had(self._cpu)
        self._began = self._counters()

    def sample(self) -> dict[str, float]:
        """Return the measures that can be had now, by name; what fails is left out."""
        found: dict[str, float] = {}
        probes: tuple[Callable[[], Mapping[str, float]], ...]
        probes = (self._cpu, self._memory, self._process, self._disk, self._transferred)
        for probe in (*probes, *(self._probe_of(gpu) for gpu in self._gpus)):
            found.update(_what_can_be_had(probe))
        return {f"system/{name}": float(value) for name, value in found.items() if math.isfinite(value)}

    def _cpu(self) -> dict[str, float]:
        # psutil.cpu_percent keeps one state for all its callers; a script that calls it too would get our intervals.
        before, now = self._last_cpu, self._cpu_seconds()
        self._last_cpu = now
        if before is None or now[1] <= before[1]:
            return {}
        share = (now[0] - before[0]) / (now[1] - before[1])
        return {"cpu_percent": min(100.0, max(0.0, 100 * share))}

    def _cpu_seconds(self) -> tuple[float, float]:
        """Seconds since boot in which CPUs were busy, and all of them."""
        times = self._psutil.cpu_times()._asdict()
        # Linux counts the time of guests in `user` and `nice` already.
        total = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)
        return total - times["idle"] - times.get("iowait", 0.0), total

    def _memory(self) -> dict[str, float]:
        return {"memory_percent": self._psutil.virtual_memory().percent}

    def _process(self) -> dict[str, float]:
        """Resident memory of this process and all below it; pages they share count for each."""
        own = self._psutil.Process()
        return {"process_memory_bytes": sum(self._resident(one) for one in (own, *own.children(recursive=True)))}

    def _resident(self, process: Any) -> int:
        try:
            return int(process.memory_info().rss)
        except self._psutil.Error:  # ended since it was listed
            return 0

    def _disk(self) -> dict[str, float]:
        return {"disk_percent": self._psutil.disk_usage(os.fspath(self._folder)).percent}

    def _transferred(self) -> dict[str, float]:
        now = self._counters()
        return {name: now[name] - before for name, before in self._began.items() if name in now}

    def _counters(self) -> dict[str, float]:
        return {**_what_can_be_had(self._disk_counters), **_what_can_be_had(self._network_counters)}

    def _disk_counters(self) -> dict[str, float]:
        disk = self._psutil.disk_io_counters()
        return {"disk_read_bytes": disk.read_bytes, "disk_write_bytes": disk.write_bytes} if disk else {}

    def _network_counters(self) -> dict[str, float]:
        network = self._psutil.net_io_counters()
        if not network:
            return {}
        return {"network_sent_bytes": network.bytes_sent, "network_received_bytes": network.bytes_recv}

    def _probe_of(self, gpu: Gpu) -> Callable[[], Mapping[str, float]]:
        return lambda: {
            f"gpu{gpu.index}_percent": gpu.percent,
            f"gpu{gpu.index}_memory_percent": 100.0 * gpu.used_bytes / gpu.memory_bytes,
            f"gpu{gpu.index}_memory_bytes": gpu.used_bytes,
        }


def _what_can_be_had(probe: Callable[[], Mapping[str, float]]) -> Mapping[str, float]:
    try:
        return probe()
    except Exception as error:  # noqa: BLE001  # a sandbox without /proc must not end a training
        _log.debug("a system metric can't be read: %r", error)
        return {}
