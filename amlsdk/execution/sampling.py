"""How busy the machine is while a script runs, logged with the run."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from amlsdk.errors import AmlError
from amlsdk.execution.handover import Handover
from amlsdk.journal.writer import JournalWriter

__all__ = ["sampling"]

_LOGGER = logging.getLogger("amlsdk")


@contextlib.contextmanager
def sampling(handover: Handover) -> Iterator[None]:
    """Sample while the block runs: this process and all below it, which is the script and what it starts."""
    from amlsdk.machine.system_metrics import SystemMetrics, interval_from_environment

    try:
        interval_s = interval_from_environment(handover.job.environment_variables)
    except AmlError as error:
        _LOGGER.warning("run %s: nothing is sampled: %s", handover.run_id, error)
        interval_s = None
    if interval_s is None:
        yield
        return
    journal = JournalWriter(handover.journals, handover.run_id)
    metrics = SystemMetrics(journal.metrics, interval_s=interval_s, folder=str(handover.folder))
    metrics.start()
    try:
        yield
    finally:
        metrics.stop()
        try:
            journal.close()
        except AmlError as error:
            _LOGGER.warning("run %s: samples were lost: %s", handover.run_id, error)
