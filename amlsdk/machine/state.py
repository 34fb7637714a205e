"""The machine and the Python a run executes on."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from amlsdk.machine.gpus import open_gpus
from amlsdk.machine.limits import memory_limit_bytes, usable_cpu_count

__all__ = ["machine_state", "python_state"]

_CPU_INFO = Path("/proc/cpuinfo")
# Names of the line by architecture: x86, old ARM, MIPS, POWER.
_MODEL = re.compile(r"^(?:model name|Processor|cpu model|cpu)[ \t]*:[ \t]*(.+)$", re.MULTILINE)


def python_state() -> dict[str, str]:
    """Return `version`, `implementation`, `executable` and `prefix` of this Python."""
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable or "",
        "prefix": sys.prefix,
    }


def machine_state() -> dict[str, Any]:
    """Return what this machine is. Never raises; takes some milliseconds.

    Returns:
        `host`, `system`, `release`, `architecture`, `cpu_model` (None where unknown), `cpu_count` (logical CPUs),
        `usable_cpu_count` (of affinity and control groups; may be a fraction), `memory_bytes` (None where unknown),
        `memory_limit_bytes` (of control groups; None without one), and `gpus`: `name` and `memory_bytes` of each.
    """
    return {
        "host": platform.node(),
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cpu_model": _cpu_model(),
        "cpu_count": os.cpu_count() or 1,
        "usable_cpu_count": usable_cpu_count(),
        "memory_bytes": _memory_bytes(),
        "memory_limit_bytes": memory_limit_bytes(),
        "gpus": _gpus(),
    }


def _cpu_model() -> str | None:
    with contextlib.suppress(OSError):
        if sys.platform == "darwin":
            return _sysctl("machdep.cpu.brand_string")
        if found := _MODEL.search(_CPU_INFO.read_text(encoding="utf-8", errors="replace")):
            return found[1].strip()
    return os.environ.get("PROCESSOR_IDENTIFIER")  # Windows


def _sysctl(name: str) -> str | None:
    with contextlib.suppress(subprocess.SubprocessError):
        answer = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, timeout=2, check=True)
        return answer.stdout.decode("utf-8", "replace").strip() or None
    return None


def _memory_bytes() -> int | None:
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(Exception):
        import psutil

        return int(psutil.virtual_memory().total)
    return None


def _gpus() -> list[dict[str, Any]]:
    found = []
    with contextlib.suppress(Exception), open_gpus() as gpus:
        for gpu in gpus:
            found.append({"name": gpu.name, "memory_bytes": gpu.memory_bytes})  # noqa: PERF401  # keeps those before a failing one
    return found
