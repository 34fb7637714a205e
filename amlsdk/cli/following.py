"""Following a run from a terminal, and ending it by Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

import click

import amlsdk
from amlsdk.cli.output import show_json
from amlsdk.errors import AmlError, Unavailable
from amlsdk.records.runs import RunStatus

__all__ = ["run_to_end"]

_INTERRUPTED = 130
_PATIENCE_S = 10.0


def run_to_end(begin: Callable[[], amlsdk.Run], *, detach: bool, as_json: bool) -> amlsdk.Run:
    """Begin a run and follow it; exit code 1 where it is not Completed in the end, 130 after Ctrl-C.

    Args:
        begin: Submits it.
        detach: Only say its id.
        as_json: Print its record at the end; its output then goes to standard error.
    """
    if detach:
        run = begin()
        show_json(run.record) if as_json else click.echo(run.id)
        return run
    with _Interruption() as interruption:
        run = begin()
        click.echo(f"run {run.id}", err=True)
        interruption.concerns(run)
        try:
            run.wait(show_output=sys.stderr if as_json else sys.stdout, raise_on_error=False)
        except Unavailable as error:
            raise Unavailable(f"{error}; the run goes on: `aml run logs --follow {run.id}` shows it again") from error
    if as_json:
        show_json(run.record)
    if interruption.asked:
        sys.exit(_INTERRUPTED)
    if run.record.status != RunStatus.COMPLETED:
        sys.exit(1)
    return run


class _Interruption:
    """Makes the first Ctrl-C cancel the run, while it is followed on to its end; the second one stops at once.

    Until the run is known the first one only waits for it, so that no run is ever left behind half submitted.
    """

    def __init__(self) -> None:
        self.asked = False
        self._hurried = False
        self._run: amlsdk.Run | None = None
        self._cancelling: threading.Thread | None = None

    def __enter__(self) -> _Interruption:
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)
        if self._cancelling is not None:
            # Whoever is in a hurry leaves once the request is sent: without it the run would go on for ever.
            self._cancelling.join(_PATIENCE_S)
            if self._cancelling.is_alive() and self._run is not None:
                again = f"`aml run cancel {self._run.id}` asks again"
                click.echo(f"nobody has answered yet that it is cancelled; {again}", err=True)
        if error is not None and self._hurried:
            # What is interrupted may make an error of its own of that, such as a connection that was lost.
            raise KeyboardInterrupt from error

    def concerns(self, run: amlsdk.Run) -> None:
        """Say which run is meant from now on."""
        self._run = run
        if self.asked:
            run.cancel()

    def _interrupt(self, _: int, __: FrameType | None) -> None:
        if self.asked:
            self._hurried = True
            raise KeyboardInterrupt
        self.asked = True
        # The interrupted code may hold any lock, so that nothing is asked or printed from here.
        self._cancelling = threading.Thread(target=self._cancel, daemon=True)
        self._cancelling.start()

    def _cancel(self) -> None:
        click.echo("\ncancelling; Ctrl-C again leaves it at that", err=True)
        try:
            if self._run is not None:
                self._run.cancel()
        except AmlError as error:
            click.echo(f"error: {error}", err=True)
