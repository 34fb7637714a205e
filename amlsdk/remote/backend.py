"""A workspace behind a URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from amlsdk.errors import InvalidArgument
from amlsdk.logins import token_for
from amlsdk.remote.addresses import spool_of
from amlsdk.remote.connection import Connection
from amlsdk.remote.service import HttpService
from amlsdk.remote.tokens import Bearer
from amlsdk.service import Backend, Principal, Service
from amlsdk.urls import normal

__all__ = ["RemoteBackend"]


class RemoteBackend(Backend):
    """A service that keeps a workspace; nothing is sent before the first request. Pickles without its token.

    Args:
        location: `http://` or `https://` URL.
        token: What the service gave its caller, or a function that returns it. Default: AMLSDK_TOKEN, then what
            `aml login` kept.
        session: A `requests.Session` to use, with proxies and certificates of one's own; it stays open.
        timeout_s: How long to wait for a connection, and for each piece of a response.
        deadline_s: How long a service that is not there is tried before `Unavailable`.
        user_agent: Name and version of the program that asks; those of amlsdk are told in any case.

    Raises:
        InvalidArgument: It is no URL of a service.
    """

    def __init__(
        self,
        location: str,
        *,
        token: str | Callable[[], str] | None = None,
        session: requests.Session | None = None,
        timeout_s: float = 30.0,
        deadline_s: float = 60.0,
        user_agent: str | None = None,
    ) -> None:
        self.location = normal(location)
        self.spool = spool_of(self.location)
        self._settings = (timeout_s, deadline_s, user_agent)
        source = token_for(self.location) if token is None else token
        bearer = Bearer(source) if source else None
        connection = Connection(
            self.location, bearer=bearer, session=session, timeout_s=timeout_s, user_agent=user_agent
        )
        self._service = HttpService(connection, deadline_s=deadline_s)

    def open(self, principal: Principal | None = None) -> Service:
        """Return the service; it knows its caller by the token, so none can be named here.

        Raises:
            InvalidArgument: A caller is named.
        """
        if principal is not None:
            raise InvalidArgument(f"a service knows its caller by the token; it can't be opened for {principal.name!r}")
        return self._service

    def close(self) -> None:
        """Close sockets; closing twice is no error."""
        self._service.close()

    def __repr__(self) -> str:
        return f"RemoteBackend({self.location!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_reopened, (self.location, *self._settings))


def _reopened(location: str, timeout_s: float, deadline_s: float, user_agent: str | None = None) -> RemoteBackend:
    return RemoteBackend(location, timeout_s=timeout_s, deadline_s=deadline_s, user_agent=user_agent)
