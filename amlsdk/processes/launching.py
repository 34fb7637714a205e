"""Beginning a detached process that is then told what to do: `amlsdk.processes.beginning` is the other side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Any, TypeVar

from amlsdk.errors import Unavailable
from amlsdk.records.jobs import ProcessIdentity

__all__ = ["Detached"]

D = TypeVar("D", bound="Detached")

_OF_A_RUN = frozenset({"AMLSDK_RUN_ID", "AMLSDK_JOURNALS", "AMLSDK_OUTPUTS", "AMLSDK_SECRETS"})


class Detached:
    """A process that is starting to live on its own; send it what it is to do, or let it go.

    It is begun before what it needs is ready, so that its own start costs no time.

    Args:
        module: What `python -m` begins; it speaks as `amlsdk.processes.beginning` does.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd="/",
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._done = False
        self._identity: ProcessIdentity | None = None

    def __enter__(self: D) -> D:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()

    def identity(self) -> ProcessIdentity:
        """Return who it is.

        Raises:
            Unavailable: It did not start; what it said is above, on standard error.
        """
        assert self._process.stdout is not None  # noqa: S101  # it was asked for
        if self._identity is not None:
            return self._identity
        line = self._process.stdout.readline()
        try:
            self._identity = ProcessIdentity(**json.loads(line)["identity"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"the supervisor did not start: {sys.executable} -m {self._module}") from error
        return self._identity

    def send(self, message: dict[str, Any]) -> None:
        """Say what it is to do; only the first message is heard.

        Raises:
            Unavailable: It did not start.
        """
        # It hears nothing where nobody listens to its first words.
        self.identity()
        self._answer(message)

    def _let_go(self) -> None:
        self._answer(None)

    def _answer(self, message: dict[str, Any] | None) -> None:
        if self._done:
            return
        self._done = True
        assert self._process.stdin is not None  # noqa: S101  # it was asked for
        assert self._process.stdout is not None  # noqa: S101
        try:
            if message is not None:
                self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it is gone; that is found at the next contact
        finally:
            self._process.stdout.close()
            # The process that was started ends as soon as the one that lives on has detached from it.
            self._process.wait()


def _environment() -> dict[str, str]:
    # A run may submit another one, whose supervisor must not be taken for a process of the first and end with it; nor
    # is the other one given the secrets of the first.
    left_out = {*_OF_A_RUN, *os.environ.get("AMLSDK_SECRETS", "").split(",")}
    return {name: value for name, value in os.environ.items() if name not in left_out}
