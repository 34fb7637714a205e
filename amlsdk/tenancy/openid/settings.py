"""Which provider people sign in with, and as whom the service asks it."""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs

from amlsdk.errors import InvalidArgument, MissingDependency
from amlsdk.urls import is_loopback

__all__ = ["OpenId", "is_safe"]


@attrs.frozen(kw_only=True)
class OpenId:
    """How people sign in to a service with a provider of OpenID Connect.

    Args:
        issuer: URL of the provider, exactly as it names itself.
        client_id: Of the service, as it is registered with the provider.
        client_secret: What the provider gave with it; None where the service is registered without one.
        user_claim: What the provider tells that becomes the name of a user. `email` counts only where the provider
            has verified it; any other is believed as it is.
        public_url: Of the service, as browsers reach it; None is as each request names it.
        token_days: For how long a sign-in lasts at most.

    Raises:
        InvalidArgument: The issuer is reached without encryption, or one of these can't be meant.
        MissingDependency: The library that speaks with providers is not installed.
    """

    issuer: str
    client_id: str
    client_secret: str | None = attrs.field(default=None, repr=False)
    user_claim: str = "email"
    public_url: str | None = None
    token_days: float = 90.0

    def __attrs_post_init__(self) -> None:
        _need_library()
        _check_url(self.issuer, what="the issuer")
        if self.public_url is not None:
            _check_url(self.public_url, what="the service's public URL")
        if not self.client_id or not self.user_claim:
            raise InvalidArgument("signing in by OpenID Connect needs a client id, and a claim that names users")
        if not self.token_days > 0:
            raise InvalidArgument(f"a sign-in lasts for a number of days above 0, not {self.token_days!r}")


def is_safe(url: str, *, own_machine: bool) -> bool:
    """Say whether a URL may be asked.

    Args:
        url: Any.
        own_machine: Whether one of this machine may be, and then without encryption.
    """
    try:
        scheme, local = urlsplit(url).scheme, is_loopback(url)
    except ValueError:
        return False
    return own_machine and scheme in {"http", "https"} if local else scheme == "https"


def _need_library() -> None:
    try:
        import authlib
        import joserfc
    except ImportError as error:
        raise MissingDependency(
            f"signing in by OpenID Connect needs {error.name}: pip install 'amlsdk[openid]'"
        ) from error
    del authlib, joserfc


def _check_url(url: str, *, what: str) -> None:
    try:
        parts = urlsplit(url)
        plain = bool(parts.hostname) and not (parts.username or parts.password or parts.query or parts.fragment)
        _ = parts.port
    except (ValueError, AttributeError):
        plain = False
    if not plain or not url.isprintable():
        raise InvalidArgument(f"{what} is a URL such as https://login.example.com, not {url!r:.200}")
    if not is_safe(url, own_machine=True):
        raise InvalidArgument(f"{what} {url[:200]!r} is not reached by https; only one on this machine may be without")
