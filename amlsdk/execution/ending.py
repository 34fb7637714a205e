"""How a run ended, in words."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from amlsdk.execution.targets.base import ExitStatus
from amlsdk.execution.watching import End
from amlsdk.records.runs import RunStatus

__all__ = ["end_of", "tail"]

_TAIL_BYTES = 2048
_SUMMARY_CHARACTERS = 300
# The line of a traceback that names the error is the first after its head that is not indented.
_ERROR = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t|+].*\n|\n)*(\S.*)", re.MULTILINE)


def end_of(status: ExitStatus, output: Path) -> End:
    """Return the end of a script that was left alone, with the reason where it is a bad one."""
    if status.code == 0:
        return End(RunStatus.COMPLETED)
    if status.signal is not None:
        return End(RunStatus.FAILED, f"killed by {_signal_name(status.signal)}{_hint(status.signal)}")
    head = f"exit code {status.code}"
    last = tail(output)
    if not last:
        return End(RunStatus.FAILED, head)
    summary = _summary(last)
    detail = f"\n{last}" if last != summary else ""
    return End(RunStatus.FAILED, f"{head}: {summary[:_SUMMARY_CHARACTERS]}{detail}")


def tail(output: Path) -> str:
    """Return the last lines of an output, at most 2 KiB; from the last traceback on, where it has one there."""
    if not output.is_file():
        # A script may have put a pipe in its place, whose opening would wait for ever.
        return ""
    try:
        with output.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            content = file.read(_TAIL_BYTES)
    except OSError:
        return ""
    text = content.decode(errors="replace").replace("\0", "").replace("\r\n", "\n")
    begin = text.rfind("Traceback (most recent call last):\n")
    if begin >= 0:
        return text[begin:].strip()
    _, newline, rest = text.partition("\n")
    # The first line is whole only where nothing was cut.
    return (rest if size > _TAIL_BYTES and newline else text).strip()


def _summary(last: str) -> str:
    error = _ERROR.search(last)
    return (error[1] if error else last.splitlines()[-1]).strip()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _hint(number: int) -> str:
    return " (out of memory?)" if number == signal.SIGKILL else ""
