"""Settings a caller may give to `connect`."""

from __future__ import annotations

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.machine.system_metrics import interval_from_environment

__all__ = ["Config"]


@attrs.frozen(kw_only=True)
class Config:
    """Settings of a connection; what is given here beats the environment.

    Args:
        system_metrics_s: Seconds between samples of CPU, memory, disk and GPU of interactive runs; None samples
            nothing. Default: AMLSDK_SYSTEM_METRICS_S (seconds, or `off`), else 10.
        capture_source: Whether interactive runs keep the script's source, or a notebook's executed cells.
        capture_context: Whether runs keep git state, packages, command and machine.
    """

    system_metrics_s: float | None = attrs.field(factory=interval_from_environment)
    capture_source: bool = True
    capture_context: bool = True

    @system_metrics_s.validator
    def _positive(self, _: object, value: float | None) -> None:
        if value is not None and not value > 0:
            raise InvalidArgument(f"system_metrics_s is a positive number of seconds or None, not {value!r}")
