"""Asking git without prompts, pagers, locks or programs of the user's configuration."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import attrs

__all__ = ["Git", "GitError"]

# Set inside a hook or by `git rebase --exec`: they would point at another repository than the folder's.
_FOREIGN = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
)
_OURS = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_PAGER": "cat",
    # A partial clone would fetch what it lacks, over the network.
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}
_OPTIONS = ("--no-pager", "-c", "core.fsmonitor=false", "-c", "core.quotePath=true", "-c", "color.ui=false")
_MOST_STDERR = 2000


class GitError(Exception):
    """Git is missing, refused, or did not answer in time; never leaves this package."""


@attrs.frozen
class Git:
    """Git in one working tree.

    Args:
        root: Of the working tree; no other repository above it is ever taken.
        deadline: On the monotonic clock, for all commands together.
    """

    root: Path
    deadline: float

    def ask(self, *arguments: str, most: int = 16 << 20, codes: tuple[int, ...] = (0,)) -> tuple[bytes, bool]:
        """Return what a command prints, at most so many bytes of it, and whether that is all.

        Raises:
            GitError: It could not be started, ended with a code not in `codes`, or was stopped at the deadline.
        """
        try:
            with tempfile.TemporaryFile() as errors:
                return self._ask(arguments, errors.fileno(), most, codes)
        except OSError as error:
            raise GitError(f"git can't be started: {error.strerror or error}") from error

    def _ask(self, arguments: tuple[str, ...], errors: int, most: int, codes: tuple[int, ...]) -> tuple[bytes, bool]:
        with subprocess.Popen(
            ["git", *_OPTIONS, "-C", str(self.root), *arguments],  # noqa: S607  # whichever git the user has
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(self.root),
            start_new_session=True,
        ) as process:
            left_s = max(0.0, self.deadline - time.monotonic())
            stopped = threading.Event()
            timer = threading.Timer(left_s, _stop, (process, stopped))
            timer.daemon = True
            timer.start()
            try:
                assert process.stdout is not None  # noqa: S101  # tells mypy about stdout=PIPE
                output = process.stdout.read(most + 1)
                cut = len(output) > most
                if cut:
                    _kill(process)
                code = process.wait()
            finally:
                timer.cancel()
        if stopped.is_set():
            raise GitError("git did not answer in time")
        if not cut and code not in codes:
            raise GitError(_reason(errors, code))
        return output[:most], not cut


def _environment(root: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**kept, **_OURS, "GIT_CEILING_DIRECTORIES": str(root.parent)}


def _stop(process: subprocess.Popen[bytes], stopped: threading.Event) -> None:
    stopped.set()
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            # The session is the command's own, so this takes its filters along.
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _reason(errors: int, code: int) -> str:
    os.lseek(errors, 0, os.SEEK_SET)
    text = os.read(errors, _MOST_STDERR).decode("utf-8", "replace").strip()
    return text or f"git ended with code {code}"
