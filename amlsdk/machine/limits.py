"""How much of a machine this process may use: affinity and control groups (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["memory_limit_bytes", "usable_cpu_count"]

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
# Version 1 writes "no limit" as the largest multiple of a page below 2**63.
_UNLIMITED = 1 << 60


def usable_cpu_count(*, cgroups: Path = _CGROUPS, own: Path = _OWN) -> float:
    """Return how many CPUs this process may keep busy; a quota may be a fraction, as 0.5."""
    affinity = getattr(os, "sched_getaffinity", None)
    allowed = float(len(affinity(0)) if affinity else os.cpu_count() or 1)
    quotas = [_quota_v2(folder) for folder in _folders("", cgroups, own)]
    quotas += [_quota_v1(folder) for folder in _folders("cpu", cgroups, own)]
    return round(min([allowed, *(quota for quota in quotas if quota)]), 3)


def memory_limit_bytes(*, cgroups: Path = _CGROUPS, own: Path = _OWN) -> int | None:
    """Return the smallest memory limit of the control groups this process is in, or None."""
    found = [_number(folder / "memory.max") for folder in _folders("", cgroups, own)]
    found += [_number(folder / "memory.limit_in_bytes") for folder in _folders("memory", cgroups, own)]
    limits = [int(limit) for limit in found if limit and limit < _UNLIMITED]
    return min(limits, default=None)


def _folders(controller: str, cgroups: Path, own: Path) -> Iterator[Path]:
    """The folders of a controller that bind this process, innermost first; the empty name means version 2."""
    for line in _text(own).splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if controller not in names.split(","):
            continue
        base = cgroups / controller if controller else cgroups
        inner = base / path.lstrip("/")
        yield inner
        # A limit of any group above holds as well; in a container the own path may not even be mounted.
        yield from (folder for folder in inner.parents if folder == base or base in folder.parents)


def _quota_v2(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _quota_v1(folder: Path) -> float | None:
    quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota / period if quota and period and quota > 0 else None


def _number(path: Path) -> float | None:
    try:
        return float(_text(path))
    except ValueError:  # "max", or no such file
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except (OSError, ValueError):
        return ""
