"""What a provider answers, and what it says of itself (OpenID Connect Discovery 1.0).

Only the configured issuer is asked where the rest is, and nothing that a browser brings ever names a place to ask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
import requests

from amlsdk.errors import Denied, Unavailable
from amlsdk.remote.connection import reason_of
from amlsdk.remote.tokens import NoToken
from amlsdk.tenancy.openid.settings import is_safe
from amlsdk.urls import is_loopback

__all__ = ["KEPT_S", "TIMEOUT_S", "Issuer", "proxies_for"]

TIMEOUT_S = 10.0
# For how long what a provider says of itself is believed.
KEPT_S = 3600.0
_DOCUMENT = "/.well-known/openid-configuration"
_MOST_BYTES = 1 << 20
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_USERINFO = "userinfo_endpoint"
# A proxy's "127.0.0.1" is the proxy itself.
_NO_PROXIES: Mapping[str, Any] = {"http": None, "https": None, "all": None}
R = TypeVar("R")


class Issuer:
    """A provider's own description, asked for when it is needed. Safe across threads.

    Args:
        url: Of the provider, exactly as it names itself.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._kept: tuple[float, Mapping[str, Any]] | None = None

    def says(self, name: str, default: Any = None) -> Any:
        """Return what the provider says of itself.

        Raises:
            Unavailable: It can't be asked, or is another than the one that is configured.
        """
        kept = self._kept
        if kept is None or kept[0] + KEPT_S < time.monotonic():
            found = self.json(self.url.rstrip("/") + _DOCUMENT)
            self._check(found)
            self._kept = kept = time.monotonic(), found
        return kept[1].get(name, default)

    def json(self, url: str, *, auth: Any = None) -> Mapping[str, Any]:
        """Return the object that is at a place the provider named."""
        return self.asked(lambda: _fetched(url, auth or NoToken()))

    def asked(self, ask: Callable[[], R]) -> R:
        """Return what `ask` does.

        Raises:
            Denied: The provider refuses it.
            Unavailable: It can't be reached, or gives no answer that can be read.
        """
        from authlib.common.errors import AuthlibBaseError

        try:
            return ask()
        except requests.RequestException as error:
            raise Unavailable(f"the provider {self.url} can't be asked: {reason_of(error)}; try again") from error
        except AuthlibBaseError as error:
            said = f"{error.error} {error.description or ''}".strip()[:200]
            raise Denied(f"the provider {self.url} refused the sign-in: {said}") from error
        except ValueError as error:
            raise Unavailable(f"the provider {self.url} gave no answer that can be read: {str(error)[:200]}") from error

    def _check(self, document: Mapping[str, Any]) -> None:
        """See that the document is the issuer's (section 4.3), and that what it names may be asked."""
        if document.get("issuer") != self.url:
            raise Unavailable(
                f"the provider calls itself {str(document.get('issuer'))[:200]!r}; "
                f"give the service that as issuer, not {self.url!r}"
            )
        for name in (*_ENDPOINTS, *([_USERINFO] if _USERINFO in document else [])):
            place = document.get(name)
            if not isinstance(place, str) or not is_safe(place, own_machine=is_loopback(self.url)):
                raise Unavailable(f"{self.url} names {str(place)[:200]!r} as its {name}, which is not asked")


def proxies_for(url: str) -> Mapping[str, Any] | None:
    """Return the proxies by which a URL is asked, as requests takes them; None is as the environment has them."""
    return _NO_PROXIES if is_loopback(url) else None


def _fetched(url: str, auth: Any) -> Mapping[str, Any]:
    with requests.get(
        url, auth=auth, timeout=TIMEOUT_S, allow_redirects=False, stream=True, proxies=dict(proxies_for(url) or {})
    ) as response:
        if response.status_code != requests.codes.ok:
            raise ValueError(f"{url} answers with status {response.status_code}")
        content = response.raw.read(_MOST_BYTES + 1, decode_content=True)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"{url} answers with more than {_MOST_BYTES} bytes")
    found = orjson.loads(content)
    if not isinstance(found, dict):
        raise ValueError(f"{url} answers with something else than an object")  # noqa: TRY004  # it is their answer
    return found
