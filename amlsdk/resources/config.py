"""Settings a caller may give to `connect`."""

from __future__ import annotations

import threading

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.machine.system_metrics import interval_from_environment
from amlsdk.places import Reach
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
        timeout_s: How long a service may take to take a connection, and to say the next piece of a reply.
        retry_s: How long a request to a service that is not there, or too busy, is tried again before `Unavailable`;
            0 tries once. What a service asks for by Retry-After is obeyed.
        user_agent: Name and version of your program, such as `sweeper/2.1`, for the logs of a service and of proxies.
    """

    system_metrics_s: float | None = attrs.field(factory=interval_from_environment)
    capture_source: bool = attrs.field(default=True)
    capture_context: bool = attrs.field(default=True)
    progress: bool = attrs.field(default=True)
    timeout_s: float = attrs.field(default=30.0)
    retry_s: float = attrs.field(default=60.0)
    user_agent: str | None = attrs.field(default=None)

    @property
    def reach(self) -> Reach:
        """How a service is reached."""
        return Reach(timeout_s=self.timeout_s, deadline_s=self.retry_s, user_agent=self.user_agent)

    @system_metrics_s.validator
    def _positive(self, _: object, value: float | None) -> None:
        if value is not None and (not _is_seconds(value) or value == 0):
            raise InvalidArgument(f"Config(system_metrics_s=...) is seconds above 0, or None, not {shown(value)}")

    @timeout_s.validator
    def _patience(self, _: object, value: object) -> None:
        if not _is_seconds(value) or value == 0:
            raise InvalidArgument(f"Config(timeout_s=...) is seconds above 0, not {shown(value)}")

    @retry_s.validator
    def _retries(self, _: object, value: object) -> None:
        if not _is_seconds(value):
            raise InvalidArgument(f"Config(retry_s=...) is 0 or more seconds, not {shown(value)}")

    @user_agent.validator
    def _header(self, _: object, value: object) -> None:
        if value is not None and not (isinstance(value, str) and value and value.isascii() and value.isprintable()):
            raise InvalidArgument(f"Config(user_agent=...) is printable ASCII text or None, not {shown(value)}")

    @capture_source.validator
    @capture_context.validator
    @progress.validator
    def _flag(self, field: attrs.Attribute[bool], value: object) -> None:
        check_flag(value, what=f"Config({field.name}=...)")


def _is_seconds(value: object) -> bool:
    # No timer waits for longer.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= threading.TIMEOUT_MAX
