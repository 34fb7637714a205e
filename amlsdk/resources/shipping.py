"""What a process has for a service is sent beside the caller's code: journals, and signs of life of its runs."""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING

from amlsdk.errors import AmlError, Denied, InvalidArgument, Unavailable

if TYPE_CHECKING:
    from amlsdk.resources.client import Client
    from amlsdk.resources.run_log import RunLog
    from amlsdk.service import Service

__all__ = ["Shipper"]

_LOGGER = logging.getLogger("amlsdk")
_EVERY_S = 1.0
# A service that is back has all within five seconds.
_LONGEST_PAUSE_S = 3.0
_LEFT_EVERY_S = 5.0
_LAST_WORDS_S = 5.0
_STEP_S = 0.25


class Shipper:
    """A thread that sends what there is every second; where the service is away, it waits and tries again.

    Nothing that a training loop calls ever waits for it, or for a lock that is held while something is sent.

    Args:
        client: Whose runs these are.
    """

    def __init__(self, client: Client) -> None:
        self._client = weakref.ref(client)
        self._lock = threading.RLock()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._pause_s = _EVERY_S
        self._look_at = 0.0
        self._is_away = False

    @property
    def is_away(self) -> bool:
        """Whether the service could not be reached the last time."""
        return self._is_away

    def begin(self) -> None:
        """Send from now on."""
        with self._lock:
            if self._thread is not None or self._stop.is_set():
                return
            self._thread = threading.Thread(target=self._work, name="amlsdk-shipper", daemon=True)
            # An interpreter that is about to end starts no threads; `deliver` works without.
            with contextlib.suppress(RuntimeError):
                self._thread.start()
                _LAST_WORDS.add(self)

    def wake(self) -> None:
        """Send now what there is."""
        self._wake.set()

    def stop(self) -> None:
        """Send nothing more, and wait for what is on its way; twice is no error."""
        self._stop.set()
        self._wake.set()
        _LAST_WORDS.discard(self)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread() and thread.is_alive():
            thread.join()

    def deliver(self, logs: list[RunLog], *, patience_s: float) -> None:
        """Send what some logs have, in the caller's thread; where that can't be done now, it is left for later.

        Args:
            logs: Of runs.
            patience_s: How long a service that does not answer is tried; one that was away already is tried once.
        """
        client = self._client()
        deadline = time.monotonic() + (0.0 if self._is_away else patience_s)
        for log in logs if client is not None else ():
            while client is not None and not self._sent(client, log, deadline):
                time.sleep(_STEP_S)

    def last_words(self) -> None:
        """Send what is left as the process ends."""
        client = self._client()
        if client is not None and not self._stop.is_set():
            self.deliver(client.waiting_logs(), patience_s=_LAST_WORDS_S)

    def _sent(self, client: Client, log: RunLog, deadline: float) -> bool:
        try:
            log.ship(client.carrier)
        except Unavailable as error:
            if time.monotonic() < deadline:
                return False
            self._away(error)
        except (AmlError, OSError) as error:
            _LOGGER.warning("run %s: its journal waits in %s: %s", log.run_id, client.spool.journals, error)
        else:
            self._well()
        return True

    def _work(self) -> None:
        while not self._stop.is_set():
            client = self._client()
            if client is None:
                return
            self._go_round(client)
            # Held by nothing while it waits: a connection that nobody has any more ends its thread.
            del client
            self._wake.wait(self._pause_s)
            self._wake.clear()

    def _go_round(self, client: Client) -> None:
        try:
            service = client.carrier
            for log in client.waiting_logs():
                self._ship(service, log)
            # A round that asks nothing would pass for one that the service answered.
            if self._is_away or time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + _LEFT_EVERY_S
                client.forwarder.forward_left(service, but=client.own_journals())
            self._well()
        except (AmlError, OSError) as error:
            if not self._stop.is_set():
                self._away(error)

    def _ship(self, service: Service, log: RunLog) -> None:
        log.give_sign(service)
        try:
            log.ship(service)
        except (Denied, InvalidArgument, Unavailable):
            raise
        except AmlError as error:
            # What is wrong with one run must not hold up the others.
            log.refused(error)

    def _away(self, error: Exception) -> None:
        client = self._client()
        if not self._is_away and client is not None:
            _LOGGER.warning(
                "what the runs of this process log waits in %s until %s takes it: %s",
                client.spool.journals,
                client.address.location,
                error,
            )
        self._is_away = True
        self._pause_s = min(1.5 * self._pause_s, _LONGEST_PAUSE_S)

    def _well(self) -> None:
        if self._is_away:
            _LOGGER.info("the service takes what the runs of this process log again")
        self._is_away, self._pause_s = False, _EVERY_S


# Threads of this kind end with the interpreter, wherever they are.
_LAST_WORDS: weakref.WeakSet[Shipper] = weakref.WeakSet()


@atexit.register
def _say_last_words() -> None:
    for shipper in list(_LAST_WORDS):
        shipper.last_words()
