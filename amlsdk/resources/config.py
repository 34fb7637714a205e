"""Settings a caller may give to `connect`."""

from __future__ import annotations

import threading

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.machine.system_metrics import interval_from_environment
from amlsdk.resources.arguments import check_flag, shown

__all__ = ["Config"]


@attrs.frozen(kw_only=True)
class Config:
    """Settings of a connection; what is given here beats the environment.

    Args:
        system_metrics_s: Seconds between samples of CPU, memory, disk and GPU of interactive runs; None samples
            nothing. Default: AMLSDK_SYSTEM_METRICS_S (seconds, or `off`), else 10.
        capture_source: Whether interactive runs keep the script's source, or a notebook's executed cells.
        capture_context: Whether runs keep git state, packages, command and machine.
        progress: Whether waiting shows a passing line where standard error is a terminal, or in a notebook.
    """

    system_metrics_s: float | None = attrs.field(factory=interval_from_environment)
    capture_source: bool = attrs.field(default=True)
    capture_context: bool = attrs.field(default=True)
    progress: bool = attrs.field(default=True)

    @system_metrics_s.validator
    def _positive(self, _: object, value: float | None) -> None:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        # No timer waits for longer.
        if value is not None and not (is_number and 0 < value <= threading.TIMEOUT_MAX):
            raise InvalidArgument(f"Config(system_metrics_s=...) is seconds above 0, or None, not {shown(value)}")

    @capture_source.validator
    @capture_context.validator
    @progress.validator
    def _flag(self, field: attrs.Attribute[bool], value: object) -> None:
        check_flag(value, what=f"Config({field.name}=...)")
