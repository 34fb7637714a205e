"""The secret that a client shows, kept out of everything that is written down."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import requests
from requests.auth import AuthBase

from amlsdk.errors import InvalidArgument

__all__ = ["Bearer", "NoToken"]


@attrs.frozen(eq=False)
class Bearer(AuthBase):
    """Puts a token into the header Authorization of a request.

    As `auth=` of requests it also keeps a `~/.netrc` from taking the token's place.

    Args:
        source: The token, or what returns it; asked for each request, so that it may be renewed.
    """

    source: str | Callable[[], str] = attrs.field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = self._header()
        return request

    def is_other_than(self, shown: str | None) -> bool:
        """Say whether a function that gives the token gives another one by now than a header showed."""
        return not isinstance(self.source, str) and shown is not None and self._header() != shown

    def _header(self) -> str:
        token = self.source if isinstance(self.source, str) else self.source()
        # Checked here, because requests and http.client show a header they refuse.
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
            raise InvalidArgument("the token is not a text of printable ASCII characters without spaces")
        return f"Bearer {token}"

    def __reduce__(self) -> tuple[type[NoToken], tuple[()]]:
        return (NoToken, ())


@attrs.frozen(eq=False)
class NoToken(AuthBase):
    """Keeps any secret from a request: for a host that a redirect names."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Take the header away, wherever it came from."""
        request.headers.pop("Authorization", None)
        return request
