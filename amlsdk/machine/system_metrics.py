"""Sampling how busy the machine is while a run lasts."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping

from amlsdk.errors import InvalidArgument
from amlsdk.machine.gpus import open_gpus

__all__ = ["SystemMetrics", "interval_from_environment"]

_log = logging.getLogger("amlsdk")
_MOST_JOIN_S = 5.0


class SystemMetrics:
    """Logs how busy the machine is, every so often, from a thread of its own.

    Logged are, where they can be had: `system/cpu_percent`, `system/memory_percent`, `system/process_memory_bytes`
    (this process and all below it), `system/disk_percent`, bytes of the whole machine since the start
    (`system/disk_read_bytes`, `disk_write_bytes`, `network_sent_bytes`, `network_received_bytes`), and by GPU
    `system/gpu0_percent`, `gpu0_memory_percent`, `gpu0_memory_bytes`. A run shorter than the interval has none.

    Args:
        log: Takes the measures of one moment; called from the thread. When it raises, sampling ends.
        interval_s: Between two samples.
        folder: On the disk whose use is watched.
    """

    def __init__(
        self, log: Callable[[Mapping[str, float]], object], *, interval_s: float = 10.0, folder: str = "."
    ) -> None:
        if not 0 < interval_s <= threading.TIMEOUT_MAX:
            raise InvalidArgument(f"interval_s is a number of seconds above 0, not {interval_s!r}")
        self._log = log
        self._interval_s = interval_s
        self._folder = folder
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0

    def start(self) -> None:
        """Begin sampling; does nothing where it has begun. A forked child does not sample unless it starts anew."""
        if self._thread is not None and self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._sample_until, args=(self._stopped,), name="amlsdk-system-metrics", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End sampling and wait for the thread, which takes at most one sample's time."""
        thread, self._thread = self._thread, None
        if thread is None or self._pid != os.getpid():
            # In a forked child the thread does not exist, and the event's lock may have been held at the fork.
            return
        self._stopped.set()
        if thread is not threading.current_thread():
            thread.join(_MOST_JOIN_S)

    def _sample_until(self, stopped: threading.Event) -> None:
        # The first second costs nothing but this wait: most short runs never load psutil.
        first_s = min(1.0, self._interval_s / 2)
        if stopped.wait(first_s):
            return
        try:
            self._sample_at_intervals(stopped, self._interval_s - first_s)
        except Exception as error:  # noqa: BLE001  # no psutil, or the run was ended by another thread
            _log.debug("system metrics end: %r", error)

    def _sample_at_intervals(self, stopped: threading.Event, first_s: float) -> None:
        from amlsdk.machine.load import Load

        with open_gpus() as gpus:
            load = Load(gpus, folder=self._folder)
            wait_s = first_s
            while not stopped.wait(wait_s):
                measures = load.sample()
                if measures and not stopped.is_set():
                    self._log(measures)
                wait_s = self._interval_s


def interval_from_environment(beside: Mapping[str, str] | None = None) -> float | None:
    """Return the seconds between samples that AMLSDK_SYSTEM_METRICS_S asks for, by default 10; None for `off`.

    Args:
        beside: Variables that go before those of this process.

    Raises:
        InvalidArgument: It is neither a positive number nor `off`.
    """
    text = {**os.environ, **(beside or {})}.get("AMLSDK_SYSTEM_METRICS_S", "10")
    if text.strip().lower() in ("", "0", "off", "false", "none"):
        return None
    try:
        interval_s = float(text)
    except ValueError:
        interval_s = 0.0
    if not 0 < interval_s <= threading.TIMEOUT_MAX:
        raise InvalidArgument(f"AMLSDK_SYSTEM_METRICS_S is seconds or 'off', not {text!r}")
    return interval_s
