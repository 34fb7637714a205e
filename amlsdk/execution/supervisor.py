"""The supervisor: a detached process that drives one run after the other to its end."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from amlsdk.execution.handover import Handover, now
from amlsdk.execution.sampling import sampling
from amlsdk.execution.starting import NotStarted, Started, enter, start
from amlsdk.execution.watching import End, watch
from amlsdk.records.runs import RunStatus
from amlsdk.storage.blobs.folder import FolderBlobStore

if TYPE_CHECKING:
    from amlsdk.execution.collecting import Store
    from amlsdk.execution.pulse import Pulse
    from amlsdk.execution.reporting import Reporter

__all__ = ["drive_all"]

_LOGGER = logging.getLogger("amlsdk")


def drive_all(handover: Handover) -> None:
    """Drive a run that was claimed, then every queued one that there is a slot for."""
    supervisor = _Supervisor()
    following: Handover | None = handover
    try:
        while following is not None:
            enter(following.folder)
            _log_to_standard_error()
            supervisor.drive(following)
            following = supervisor.following(following)
    except Exception:
        _LOGGER.exception("the supervisor gives up")
        raise
    finally:
        supervisor.close()


class _Supervisor:
    def __init__(self) -> None:
        self._told_to_stop = False
        self._reporter: Reporter | None = None
        signal.signal(signal.SIGTERM, self._hear)

    def drive(self, handover: Handover) -> None:
        """Take one run to its end, whatever happens on the way."""
        begun = now()
        store = self._store(handover)
        secrets = self._secrets(handover)
        # Where the blobs are at hand and no secret is needed, the script is started before the first connection to
        # the service: loading what that needs takes longer than starting the script.
        pulse = None if self._reporter is None else self._pulse(handover)
        started = (
            secrets
            if isinstance(secrets, NotStarted)
            else start(handover, store, secrets=secrets, is_unwanted=lambda: self._why_stop(pulse) is not None)
        )
        pulse = pulse or self._pulse(handover)
        pulse.enter(RunStatus.PREPARING, begun)
        try:
            end = self._take(handover, started, store, pulse)
        except Exception as error:
            _LOGGER.exception("run %s can't be driven", handover.run_id)
            end = End(RunStatus.FAILED, f"its supervisor failed: {type(error).__name__}: {error}")
        reporter = pulse.close()
        reporter.deliver_all(handover)
        reporter.status(handover.run_id, end.status, now(), reason=end.reason, exit_code=end.exit_code)

    def following(self, handover: Handover) -> Handover | None:
        """Claim the next run; where there is none, see to those that another supervisor left here."""
        if self._told_to_stop or self._reporter is None:
            return None
        following = self._reporter.next_run(handover)
        if following is None:
            self._reporter.end_lost(handover)
        return following

    def close(self) -> None:
        """Close the connection."""
        if self._reporter is not None:
            self._reporter.close()

    def _take(self, handover: Handover, started: Started | NotStarted, store: Store, pulse: Pulse) -> End:
        if isinstance(started, NotStarted):
            if started.reason is None:
                return End(RunStatus.CANCELED, self._why_stop(pulse))
            return End(RunStatus.FAILED, started.reason)
        pulse.enter(RunStatus.RUNNING, started.at)
        try:
            with sampling(handover):
                exit_status, forced = watch(
                    started.execution,
                    why_stop=lambda: self._why_stop(pulse),
                    begun_s=started.at_s,
                    timeout_s=handover.job.timeout_s,
                )
        finally:
            started.printing.close()
        pulse.enter(RunStatus.FINALIZING, now())
        # Loaded while there is time.
        from amlsdk.execution.ending import end_of
        from amlsdk.execution.finishing import finish

        end = forced or end_of(exit_status, started.printing.log)
        problem = finish(handover, started, store, exit_status)
        if problem is not None:
            reason = problem if end.reason is None else f"{end.reason}\n{problem}"
            end = End(RunStatus.FAILED, reason)
        return End(end.status, end.reason, exit_status.code)

    def _secrets(self, handover: Handover) -> Mapping[str, str] | NotStarted:
        if not handover.job.secrets:
            return {}
        from amlsdk.execution.secrets import SecretMissing, values_of

        try:
            return values_of(handover, self._connect(handover))
        except SecretMissing as error:
            return NotStarted(f"it could not be started: {error}")

    def _hear(self, *_: object) -> None:
        self._told_to_stop = True

    def _why_stop(self, pulse: Pulse | None) -> str | None:
        if self._told_to_stop:
            return "its supervisor was told to stop"
        return None if pulse is None else pulse.stop_reason

    def _pulse(self, handover: Handover) -> Pulse:
        from amlsdk.execution.pulse import Pulse

        pulse = Pulse(handover, lambda: self._connect(handover))
        pulse.begin()
        return pulse

    def _connect(self, handover: Handover) -> Reporter:
        from amlsdk.execution.reporting import Reporter

        if self._reporter is None:
            self._reporter = Reporter(handover, in_a_hurry=lambda: self._told_to_stop)
        return self._reporter

    def _store(self, handover: Handover) -> Store:
        if handover.blobs is not None:
            return FolderBlobStore(handover.blobs)
        from amlsdk.storage.blobs.through_service import ServiceBlobs

        # What a run made must not be lost to a service that is away when it ends.
        return ServiceBlobs(self._connect(handover).patient)


def _log_to_standard_error() -> None:
    if not any(isinstance(handler, logging.StreamHandler) for handler in _LOGGER.handlers):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        _LOGGER.addHandler(handler)
        _LOGGER.setLevel(logging.INFO)
