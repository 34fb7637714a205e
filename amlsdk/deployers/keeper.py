"""Keeping one process of a revision alive."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from amlsdk.deployers.worker import Worker
from amlsdk.errors import AmlError, OperationFailed

__all__ = ["Keeper"]

_LOGGER = logging.getLogger("amlsdk")
# What ends or speaks is heard at once where the system can tell of both (Linux).
_LOOK_S = 1.0 if sys.platform == "linux" else 0.25
_PING_S = 5.0
_LOADED_WITHIN_S = 600.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 30.0
_HEALTHY_S = 60.0
_GONE_WITHIN_S = 5.0


class Keeper:
    """Starts a process, and starts it again whenever it ends, after longer and longer pauses.

    One that ends before it was ever loaded is not started again: it would end so again.

    Args:
        launch: Starts a process.
        hung_after_s: One that does not answer for so long is killed.

    Attributes:
        restarts: How often it was started again.
        has_failed: Whether the first start failed.
        reason: How the last process ended.
    """

    def __init__(self, launch: Callable[[], Worker], *, hung_after_s: float) -> None:
        self.restarts = 0
        self.has_failed = False
        self.reason = ""
        self._launch = launch
        self._hung_after_s = hung_after_s
        self._worker: Worker | None = None
        self._is_loaded = self._was_loaded = self._accepts = False
        self._ending = threading.Event()
        self._killed_at_s = 0.0
        self._drained: Future[dict[str, Any]] | None = None
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="amlsdk-keeper", daemon=True)
        self._thread.start()

    @property
    def is_loaded(self) -> bool:
        """Whether a process is there that has loaded."""
        return self._is_loaded

    @property
    def is_alive(self) -> bool:
        """Whether anything is still kept here."""
        return self._thread.is_alive()

    @property
    def pid(self) -> int | None:
        """Of the process, or None while there is none."""
        worker = self._worker
        return None if worker is None else worker.pid

    def wait(self, timeout_s: float) -> bool:
        """Return whether it has loaded, or the first start has failed, within so many seconds."""
        with self._change:
            return self._change.wait_for(lambda: self._is_loaded or self.has_failed, timeout_s)

    def ask(self, do: str, **fields: Any) -> Future[dict[str, Any]]:
        """Tell the process to do something."""
        with self._change:
            if self._worker is not None and self._is_loaded:
                return self._worker.control.tell(do, **fields)
        answer: Future[dict[str, Any]] = Future()
        answer.set_exception(OperationFailed(f"the process is not there: {self.reason}"))
        return answer

    def accept(self) -> Future[dict[str, Any]]:
        """Have it take requests, and whatever is started in its place too."""
        with self._change:
            self._accepts = True
            return self.ask("accept")

    def stand_by(self, grace_s: float) -> Future[dict[str, Any]]:
        """Have it take no more requests; it answers those that it has, and stays. Done once it takes none."""
        with self._change:
            self._accepts = False
            # Answered only when all is drained; what is asked after it is answered once that has begun.
            self.ask("drain", grace_s=grace_s)
            return self.ask("stats")

    def end(self, grace_s: float) -> None:
        """Have it answer what it has, and end; returns at once."""
        with self._change:
            if self._ending.is_set() and self._killed_at_s <= time.monotonic() + grace_s:
                return
            self._accepts = False
            self._killed_at_s = time.monotonic() + grace_s
            if self._is_loaded:
                self._drained = self.ask("drain", grace_s=grace_s)
            elif self._worker is not None:
                # It has nothing to answer, and may load for long.
                self._worker.kill()
            self._ending.set()

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._ending.is_set():
            begun_s = time.monotonic()
            reason = self._one_life()
            with self._change:
                self._worker, self._is_loaded, self.reason = None, False, reason
                self.has_failed = not self._was_loaded
                self._change.notify_all()
            if self.has_failed or self._ending.is_set():
                return
            _LOGGER.warning("a process ended: %s", reason)
            if time.monotonic() - begun_s > _HEALTHY_S:
                pause_s = _FIRST_PAUSE_S
            if not self._ending.wait(pause_s):
                self.restarts += 1
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)

    def _one_life(self) -> str:
        """Start a process and stay with it until it has ended; return how it did."""
        try:
            worker = self._launch()
        except (OSError, AmlError) as error:
            return f"it could not be started: {error}"
        with self._change:
            self._worker = worker
            if self._ending.is_set():
                worker.kill()
        why = self._stay(worker)
        if why is not None:
            worker.kill()
        how = worker.end()
        return how if why is None else f"{why}, and was killed: {how}"

    def _stay(self, worker: Worker) -> str | None:
        """Hear a process until it has ended; return why it has to be killed, where it has to be."""
        heard_s, ping = time.monotonic(), None
        while (events := worker.control.receive(_LOOK_S)) is not None and not worker.has_ended:
            now_s = time.monotonic()
            if any(event.get("event") == "loaded" for event in events):
                self._on_loaded(worker)
                heard_s = now_s
            if self._ending.is_set():
                if self._is_over(worker, now_s):
                    return "it did not end by itself"
            elif not self._is_loaded:
                if now_s - heard_s > _LOADED_WITHIN_S:
                    return f"it did not load within {_LOADED_WITHIN_S:g} s"
            elif ping is not None and not ping.done():
                if now_s - heard_s > self._hung_after_s:
                    return f"it did not answer its supervisor for {self._hung_after_s:g} s"
            elif ping is None or now_s - heard_s > _PING_S:
                heard_s, ping = now_s, worker.control.tell("stats")
        return None

    def _on_loaded(self, worker: Worker) -> None:
        with self._change:
            self._is_loaded = self._was_loaded = True
            if self._accepts:
                worker.control.tell("accept")
            self._change.notify_all()

    def _is_over(self, worker: Worker, now_s: float) -> bool:
        """Say whether a process that is to end has had its time, and ask it to go once it has answered all."""
        if self._drained is not None and self._drained.done():
            self._drained = None
            self._killed_at_s = now_s + _GONE_WITHIN_S
            worker.control.hang_up()
        return now_s > self._killed_at_s + _LOOK_S
