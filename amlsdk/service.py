"""The seam: whatever answers requests, and the one wrapper that checks who may ask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import attrs

from amlsdk.errors import AmlError, Denied
from amlsdk.operations import Operation, Request, Role, operation_of
from amlsdk.operations.checks import check
from amlsdk.operations.tenancy import CreateToken
from amlsdk.records.tenancy import TokenRecord

__all__ = ["Backend", "Guard", "Host", "Principal", "RoleOn", "Service", "SignInBegun", "SignInByBrowser", "Spool"]

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
        user_id: Of the user, where a service keeps users.
        token_id: Of the token that was shown, where there was one.
        workspace_id: The only workspace that the token opens; None where it opens all of the user's.
        address: Where the request came from, where it came over a network.
        request_id: Of the request, where it has one.
    """

    name: str
    role: Role
    user_id: str = ""
    token_id: str = ""
    workspace_id: str | None = None
    address: str = ""
    request_id: str = ""


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

    def repository(self, project_id: str) -> str:
        """Return where the git repository is that comes with a project: a URL, or a path where one is made."""
        return f"{self.location}/git/{project_id}.git"

    @abstractmethod
    def close(self) -> None:
        """End threads and sockets; closing twice is no error."""


@attrs.frozen(kw_only=True)
class SignInBegun:
    """A sign-in for which a browser goes to a provider of identities.

    Args:
        address: Where it goes.
        state: What the provider sends back with it.
        browser: What is kept in it, and known to no other.
    """

    address: str
    state: str
    browser: str = attrs.field(repr=False)


class SignInByBrowser(Protocol):
    """Lets a command have a token for whoever signs in, in a browser, with a provider. Safe across threads."""

    @property
    def public_url(self) -> str | None:
        """The service's URL, as browsers reach it, where that is known."""

    def begin(self, *, redirect: str, challenge: str, callback: str) -> SignInBegun:
        """Send a browser to the provider, for a command on its machine that listens at `redirect`."""

    def finish(self, answer: Mapping[str, str], *, browser: str | None) -> str:
        """Return where a browser goes that comes back from the provider."""

    def redeem(self, *, code: str, verifier: str, wanted: CreateToken, caller: Principal) -> TokenRecord:
        """Make a token known for who signed in."""


class Host(ABC):
    """What a server serves: it knows who asks, and gives each a service for a workspace. Safe across threads.

    Attributes:
        by_browser: How people sign in besides tokens; None where they don't.
    """

    by_browser: SignInByBrowser | None = None

    @abstractmethod
    def sign_in(self, token: str | None) -> Principal:
        """Return whoever shows a token.

        Args:
            token: As it was shown; None where none was.

        Raises:
            NotSignedIn: It opens nothing: unknown, expired or revoked.
        """

    @abstractmethod
    def service(self, principal: Principal, workspace: str | None) -> Service:
        """Return the service for a caller.

        Args:
            principal: As `sign_in` returned.
            workspace: Name or id of the workspace that is asked; None is the only one the caller has, which is looked
                for by the first operation that needs one.
        """

    @abstractmethod
    def repository(self, principal: Principal, workspace: str | None, project_id: str, *, push: bool) -> Path:
        """Return the folder of the bare git repository of a project, made where there is none.

        Raises:
            NotFound: There is no such project for this caller.
            Denied: It may read, and wants to push.
        """

    @abstractmethod
    def ready(self) -> None:
        """Return where requests can be answered.

        Raises:
            Unavailable: They can't; the message says why.
        """

    @abstractmethod
    def close(self) -> None:
        """End threads and sockets; closing twice is no error."""


# Where in the resources of a service a role is needed, and who asks: the role there.
RoleOn = Callable[[Operation, Request[Any]], Role]


class Guard:
    """A service whose every request is checked for types and role, and written to the audit log.

    Args:
        principal: Who asks.
        answer: Carries an operation out.
        audit: Writes down how it went.
        role_on: The caller's role where an operation needs one; raises `NotFound` where they may not know of the
            place. By default the one of the principal, everywhere.
        place: Returns the id of the workspace that is asked, once it was looked for.
    """

    def __init__(
        self,
        principal: Principal,
        *,
        answer: Callable[[Principal, Request[Any]], Any],
        audit: Callable[[Principal, Operation, Request[Any], str], None],
        role_on: RoleOn | None = None,
        place: Callable[[], str | None] | None = None,
    ) -> None:
        self.principal = principal
        self._answer = answer
        self._audit = audit
        self._role_on = role_on
        self._place = place

    @property
    def workspace_id(self) -> str | None:
        """Id of the workspace that is asked; None where none was looked for yet, or that is not known."""
        return self._place() if self._place is not None else None

    def send(self, request: Request[R]) -> R:
        """Carry out one operation."""
        operation = operation_of(request)
        # First, as behind a URL, where what can't be read does not even arrive.
        check(request, operation.request, at=operation.name)
        try:
            self._allow(operation, request)
            reply = self._answer(self.principal, request)
        except BaseException as error:
            code = error.code if isinstance(error, AmlError) else AmlError.code
            self._audit(self.principal, operation, request, code)
            raise
        self._audit(self.principal, operation, request, "ok")
        return cast("R", reply)

    def _allow(self, operation: Operation, request: Request[Any]) -> None:
        role = self.principal.role if self._role_on is None else self._role_on(operation, request)
        if role < operation.role:
            raise Denied(
                f"{operation.name} needs the role {operation.role.name.lower()}; "
                f"{self.principal.name!r} is {role.name.lower()} here"
            )
