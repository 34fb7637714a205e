"""The token of a process that works on its own: made for it, short-lived, renewed while it works, then revoked."""

from __future__ import annotations

import contextlib
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from amlsdk.errors import AmlError

if TYPE_CHECKING:
    from amlsdk.service import Service

__all__ = ["EXPIRES_S", "Credential", "newer_in"]

_LOGGER = logging.getLogger("amlsdk")
# Longer than a night with a closed lid; a process that was killed leaves a token that opens for so long.
EXPIRES_S = 12 * 3600.0
_RENEWED_EVERY_S = 20 * 60.0
_TRIED_AGAIN_S = 60.0


@attrs.define(eq=False)
class Credential:
    """What a process shows to a service; also a function that returns the text, as `connect(token=...)` takes it.

    Args:
        text: The token; None where the workspace is a folder, or none is needed.
        is_own: Whether it was made for this process, which then revokes it at its end.
        newer: A file where another one is looked for once this one opens nothing any more.
    """

    text: str | None = attrs.field(repr=False)
    is_own: bool = False
    newer: Path | None = None
    _is_renewed: bool = attrs.field(default=attrs.Factory(lambda self: self.is_own, takes_self=True), init=False)
    # By the clock on the wall: that of the process stands still while the machine sleeps.
    _due: float = attrs.field(factory=lambda: time.time() + _RENEWED_EVERY_S, init=False)

    def __call__(self) -> str:
        """Return the token."""
        return self.text or ""

    @property
    def source(self) -> Credential | None:
        """This, or None where there is no token: what `open_backend` takes."""
        return None if self.text is None else self

    def to_message(self) -> dict[str, Any]:
        """Return this as JSON; it holds the token, and so is for a pipe only."""
        return {"credential": self.text, "is_own": self.is_own}

    @classmethod
    def of(cls, message: dict[str, Any]) -> Credential:
        """Read what a client sent: `to_message` among what `Place.to_message` returns."""
        newer = newer_in(Path(message["runs"])) if message["shipped"] else None
        return cls(message["credential"], is_own=message.get("is_own", False), newer=newer)

    def tend(self, service: Service) -> None:
        """Renew it where that is due; what fails is logged, and tried again."""
        if not self._is_renewed or time.time() < self._due:
            return
        # Here and below, what a supervisor must not wait for before it starts a script is loaded when it is needed.
        from amlsdk.operations.tenancy import RenewToken
        from amlsdk.records.tokens import id_of_token

        try:
            service.send(RenewToken(token_id=id_of_token(self()) or "", expires_in_s=EXPIRES_S))
            self._due = time.time() + _RENEWED_EVERY_S
        except AmlError as error:
            self._due = time.time() + _TRIED_AGAIN_S
            _LOGGER.warning("the token of this process was not renewed: %s", error)

    def look_for_newer(self) -> bool:
        """Take another token where one was left for this process; say whether it did."""
        from amlsdk.records.tokens import id_of_token

        with contextlib.suppress(OSError, UnicodeError):
            found = "" if self.newer is None else self.newer.read_text("ascii").strip()
            if id_of_token(found) is not None and found != self.text:
                # It is for all that works here: each renews it, and none revokes it.
                self.text, self.is_own, self._is_renewed = found, False, True
                _LOGGER.info("another token was found in %s", self.newer)
                return True
        return False

    def end(self, service: Service) -> None:
        """Revoke it; where that fails, it expires."""
        if self.is_own:
            from amlsdk.operations.tenancy import DeleteToken
            from amlsdk.records.tokens import id_of_token

            with contextlib.suppress(AmlError):
                service.send(DeleteToken(token_id=id_of_token(self()) or ""))


def newer_in(runs: Path) -> Path:
    """Return the file where supervisors look for another token.

    Args:
        runs: Folder of the runs' own folders, as a spool has it.
    """
    return runs.parent / "token"
