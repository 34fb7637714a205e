"""A server of one workspace, for whoever shows one token."""

from __future__ import annotations

import hmac
from pathlib import Path

from amlsdk.errors import InvalidArgument, NotFound, NotSignedIn
from amlsdk.operations import Role
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.records.tokens import new_token
from amlsdk.service import Host, Principal, Service

__all__ = ["SingleHost"]


class SingleHost(Host):
    """Answers by one service: how a process lends what it has opened to others on its machine.

    Args:
        service: Answers the requests.
        token: Opens it; by default a new one.

    Attributes:
        token: Opens it.
    """

    def __init__(self, service: Service, *, token: str | None = None) -> None:
        self._service = service
        self.token = token or new_token()

    def sign_in(self, token: str | None) -> Principal:  # noqa: D102
        if token is None or not hmac.compare_digest(token.encode(), self.token.encode()):
            raise NotSignedIn("no token was shown, or one that opens nothing here")
        return Principal(name="owner", role=Role.OWNER)

    def service(self, principal: Principal, workspace: str | None) -> Service:  # noqa: D102
        del principal
        if workspace is not None:
            raise NotFound(f"one workspace is served here, and none is called {workspace[:160]!r}")
        return self._service

    def repository(self, principal: Principal, workspace: str | None, project_id: str, *, push: bool) -> Path:  # noqa: D102
        del principal, workspace, push
        raise InvalidArgument(f"no repositories are served here, and so none of project {project_id[:80]!r}")

    def ready(self) -> None:  # noqa: D102
        self._service.send(GetWorkspace())

    def close(self) -> None:
        """Do nothing: whoever opened the service closes it."""
