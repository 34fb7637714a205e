"""One process that scores, as its supervisor sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs

from amlsdk.deployers.control import Control
from amlsdk.deployers.trimming import last_lines
from amlsdk.storage.secrets.masked_output import MaskedOutput

__all__ = ["Launcher", "Worker"]

# What a process needs to find programs, folders and its language; nothing else of the supervisor's own environment,
# where there may be secrets.
_PASSED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
_LAST_WORDS_S = 2.0
_KILLED_S = 10.0


@attrs.frozen(kw_only=True)
class Launcher:
    """Starts processes of one revision.

    Args:
        root: Folder of the bundle.
        listener: The listening socket that they share.
        log: The file that takes what they say.
        masked: What stands between them and that file, where there are secrets to be masked.
        settings: File of their limits.
        keys: File of the keys; None where none are needed.
        traffic: Folder of what they count.
        variables: Set for the scoring script.
    """

    root: Path
    listener: socket.socket
    log: Path
    settings: Path
    traffic: Path
    keys: Path | None = None
    variables: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    masked: MaskedOutput | None = None

    def launch(self) -> Worker:
        """Start a process.

        Raises:
            OSError: It can't be started.
        """
        ours, theirs = socket.socketpair()
        try:
            output = self.log if self.masked is None else self.masked.pipe
            with theirs, output.open("ab") as log:
                said_from = self.log.stat().st_size
                process = subprocess.Popen(
                    self._command(theirs.fileno()),
                    cwd=self.root / "app",
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(self.listener.fileno(), theirs.fileno()),
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        return Worker(process, ours, log=self.log, said_from=said_from, masked=self.masked)

    def _command(self, control: int) -> list[str]:
        # The interpreter itself, not a virtual environment's: the bundle has all that it needs. No bytecode is read
        # from or written to elsewhere than beside the bundle's own files.
        command = [os.path.realpath(sys.executable), "-I", "-S", os.fspath(self.root / "runtime" / "serve.py")]
        command += ["--fd", str(self.listener.fileno()), "--control-fd", str(control)]
        command += ["--settings", os.fspath(self.settings), "--traffic", os.fspath(self.traffic)]
        return command if self.keys is None else [*command, "--keys", os.fspath(self.keys)]

    def _environment(self) -> dict[str, str]:
        passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
        return {**passed, **self.variables}


class Worker:
    """A process that was started.

    Args:
        process: The process, which leads a session of its own.
        connection: To its control socket.
        log: The file that takes what it says.
        said_from: Where in there that begins.
        masked: What stands before the file, or None.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        connection: socket.socket,
        *,
        log: Path,
        said_from: int,
        masked: MaskedOutput | None = None,
    ) -> None:
        self.pid = process.pid
        self._process, self._masked = process, masked
        self._log, self._said_from = log, said_from
        # Known at once also where a child of the script keeps the control socket open.
        self._pidfd = os.pidfd_open(process.pid) if sys.platform == "linux" else None
        self.control = Control(connection, also=self._pidfd)

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it at once, with all that it started in its session."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> str:
        """See that it has ended, with all that it started; return how it did, with its last lines."""
        # It lets go of the control socket before it has said why it ends.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_LAST_WORDS_S)
        # What the script started must not hold the port any longer than its worker.
        self.kill()
        code = self._process.wait(_KILLED_S)
        self.control.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
        how = f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.Signals(-code).name})"
        if self._masked is not None:
            self._masked.settle()
        said = last_lines(self._log, since=self._said_from)
        return f"{how}; its last lines:\n{said}" if said else f"{how}, without a word"
