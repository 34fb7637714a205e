"""What is known of a request while it is answered: for the logs and the counters, never its contents."""

from __future__ import annotations

import re
import time
import uuid
from typing import cast

import attrs
from starlette.types import Scope

from amlsdk.service import Principal

__all__ = ["Visit", "visit_of"]

_KEY = "amlsdk.visit"
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


@attrs.define(kw_only=True)
class Visit:
    """One request.

    Args:
        request_id: As the client named it, or a new one.
        method: Of HTTP.
        address: Where it came from.
        route: Template of the path; never the path, which whoever asks may fill with anything.
        principal: Who asked, once that is known.
        workspace_id: Of the workspace that was asked, once that is known.
        status: Of the reply; 0 until there is one.
        bytes_in: Of its body, as far as they were read.
        bytes_out: Of the reply's body.
        journal_lines: Of a journal that came with it.
        begun: When it came, by the monotonic clock.
    """

    request_id: str
    method: str
    address: str
    route: str = ""
    principal: Principal | None = None
    workspace_id: str | None = None
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    journal_lines: int = 0
    begun: float = attrs.field(factory=time.perf_counter)

    @classmethod
    def begin(cls, scope: Scope) -> Visit:
        """Return that of a new request, kept with it."""
        client = scope.get("client")
        visit = cls(
            request_id=_request_id(scope),
            method=scope["method"][:20],
            address=str(client[0]) if client else "",
        )
        scope[_KEY] = visit
        return visit

    @property
    def caller(self) -> Principal:
        """Who asked, as the audit log is to name them."""
        return attrs.evolve(cast("Principal", self.principal), address=self.address, request_id=self.request_id)


def visit_of(scope: Scope) -> Visit:
    """Return what is known of a request."""
    found: Visit | None = scope.get(_KEY)
    # Under another server of ASGI applications a part of this one may be asked by itself.
    return found or Visit.begin(scope)


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    # Anything else could write lines of its own into a log.
    return given.decode() if _ID.fullmatch(given) else uuid.uuid4().hex
