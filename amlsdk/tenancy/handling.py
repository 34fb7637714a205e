"""What handlers of the directory are given, and the registry of them: one function an operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import attrs

from amlsdk.operations import Request
from amlsdk.service import Principal
from amlsdk.storage.catalogue.database import Database
from amlsdk.tenancy.roles import Roles

__all__ = ["HANDLERS", "Directory", "Estate", "handles"]

R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Estate(Protocol):
    """The workspaces themselves, as handlers of the directory need them."""

    def refuse_unless_empty(self, workspace_id: str) -> None:
        """See that a workspace holds nothing that somebody may want.

        Raises:
            Conflict: It does; the message says what.
        """

    def remove(self, workspace_id: str, place: str | None) -> None:
        """Remove what a workspace that is no longer in the directory kept."""


@attrs.frozen(kw_only=True)
class Directory:
    """The directory, as handlers see it.

    Args:
        database: Its catalogue.
        roles: Who may do what.
        estate: The workspaces.
        sign_in: How people sign in besides tokens: `openid`, or empty.
    """

    database: Database
    roles: Roles
    estate: Estate
    sign_in: str = ""


# Filled while the modules of this package are imported, and never after.
HANDLERS: dict[type[Request[Any]], Callable[[Directory, Principal, Any], Any]] = {}


def handles(request: type[Request[R]]) -> Callable[[F], F]:
    """Enter the handler `(directory, principal, request) -> reply` of an operation."""

    def enter(handler: F) -> F:
        HANDLERS[request] = handler
        return handler

    return enter
