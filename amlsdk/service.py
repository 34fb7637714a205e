"""The seam: whatever answers requests, and the one wrapper that checks who may ask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import attrs

from amlsdk.errors import AmlError, Denied
from amlsdk.operations import Operation, Request, Role, operation_of
from amlsdk.operations.checks import check

__all__ = ["Backend", "Guard", "Principal", "Service", "Spool"]

R = TypeVar("R")


class Service(Protocol):
    """Answers requests; the same whether in this process or behind a URL. Safe across threads."""

    def send(self, request: Request[R]) -> R:
        """Carry out one operation.

        Raises:
            AmlError: One of its subclasses, the same in every mode.
        """


@attrs.frozen(kw_only=True)
class Principal:
    """Who asks.

    Args:
        name: Of the user; for a folder, the one of the operating system.
        role: The most this caller may do.
    """

    name: str
    role: Role


@attrs.frozen(kw_only=True)
class Spool:
    """Where a client keeps what its runs write.

    Args:
        journals: Folder of the journals.
        runs: Folder of the runs' own folders, each named by the run's id.
        shipped: Whether journals and output are to be sent to the service; where not, it reads these folders.
        blobs: Folder of the workspace's blob store where it is on this machine; None where blobs go to the service.
    """

    journals: Path
    runs: Path
    shipped: bool
    blobs: Path | None = None

    @property
    def cache(self) -> Path:
        """Folder of what may be lost at any time."""
        return self.runs.parent / "cache"

    @property
    def deployments(self) -> Path:
        """Folder of the deployments' own folders, each named by the deployment's id."""
        return self.runs.parent / "deployments"

    @property
    def logs(self) -> Path:
        """Folder of the logs of image builds and deployments, each `<id>.log`."""
        return self.runs.parent / "logs"


class Backend(ABC):
    """A place that keeps workspaces, found by the scheme of its URL (entry-point group `amlsdk.backends`)."""

    location: str
    spool: Spool

    @abstractmethod
    def open(self, principal: Principal | None = None) -> Service:
        """Return a service for a caller; None is whoever runs this process."""

    @abstractmethod
    def close(self) -> None:
        """End threads and sockets; closing twice is no error."""


class Guard:
    """A service whose every request is checked for types and role, and written to the audit log."""

    def __init__(
        self,
        principal: Principal,
        *,
        answer: Callable[[Principal, Request[Any]], Any],
        audit: Callable[[Principal, Operation, Request[Any], str], None],
    ) -> None:
        self.principal = principal
        self._answer = answer
        self._audit = audit

    def send(self, request: Request[R]) -> R:
        """Carry out one operation."""
        operation = operation_of(request)
        # First, as behind a URL, where what can't be read does not even arrive.
        check(request, operation.request, at=operation.name)
        try:
            self._allow(operation)
            reply = self._answer(self.principal, request)
        except BaseException as error:
            code = error.code if isinstance(error, AmlError) else AmlError.code
            self._audit(self.principal, operation, request, code)
            raise
        self._audit(self.principal, operation, request, "ok")
        return cast("R", reply)

    def _allow(self, operation: Operation) -> None:
        if self.principal.role < operation.role:
            raise Denied(
                f"{operation.name} needs the role {operation.role.name.lower()}; "
                f"{self.principal.name!r} is {self.principal.role.name.lower()} here"
            )
