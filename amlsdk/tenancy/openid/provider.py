"""A provider of OpenID Connect, asked by authorization code (OpenID Connect Core 1.0, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from amlsdk.errors import Denied
from amlsdk.remote.tokens import Bearer
from amlsdk.tenancy.openid.asking import TIMEOUT_S, Issuer, proxies_for
from amlsdk.tenancy.openid.settings import OpenId
from amlsdk.tenancy.openid.tokens import IdTokens

__all__ = ["Identity", "Provider"]

_SCOPES = ("openid", "profile", "email")


@attrs.frozen(kw_only=True)
class Identity:
    """Who somebody is to the provider.

    Args:
        subject: What the provider knows them by, for ever.
        name: What they are called here; None where the provider tells nothing that can be believed.
    """

    subject: str
    name: str | None


class Provider:
    """A provider, asked when somebody signs in. Safe across threads.

    Args:
        settings: Which, and as whom.
    """

    def __init__(self, settings: OpenId) -> None:
        self._settings = settings
        self._issuer = Issuer(settings.issuer)
        self._tokens = IdTokens(self._issuer, settings.client_id)

    def address(self, *, state: str, nonce: str, verifier: str, callback: str) -> str:
        """Return where a browser goes to sign in.

        Args:
            state: Comes back with the browser.
            nonce: Comes back within the ID token.
            verifier: Proves in the end who began (RFC 7636).
            callback: Where the browser comes back to.

        Raises:
            Unavailable: The provider can't be asked.
        """
        endpoint = self._issuer.says("authorization_endpoint")
        with self._session(callback) as session:
            made = session.create_authorization_url(endpoint, state=state, nonce=nonce, code_verifier=verifier)
        return str(made[0])

    def identity(self, *, code: str, nonce: str, verifier: str, callback: str) -> Identity:
        """Return who signed in.

        Args:
            code: What the browser brought.
            nonce: As for `address`.
            verifier: As for `address`.
            callback: As for `address`.

        Raises:
            Denied: The provider refuses the code, or what it tells can't be believed.
            Unavailable: The provider can't be asked.
        """
        told = self._redeemed(code=code, verifier=verifier, callback=callback)
        access = str(told.get("access_token") or "")
        claims = self._tokens.claims(told.get("id_token"), nonce=nonce, access_token=access)
        name = _name(claims, self._settings.user_claim)
        if name is None and access:
            # Providers may keep what is not needed to know somebody for whoever asks (section 5.4).
            name = _name(self._more(claims["sub"], access), self._settings.user_claim)
        return Identity(subject=claims["sub"], name=name)

    def _session(self, callback: str) -> Any:
        from authlib.integrations.requests_client import OAuth2Session

        return OAuth2Session(
            client_id=self._settings.client_id,
            client_secret=self._settings.client_secret,
            token_endpoint_auth_method=self._way_to_prove(),
            scope=" ".join(_SCOPES),
            redirect_uri=callback,
            code_challenge_method="S256",
            default_timeout=TIMEOUT_S,
        )

    def _way_to_prove(self) -> str:
        if self._settings.client_secret is None:
            return "none"
        # Basic is what is meant where nothing is said (Discovery 1.0, section 3).
        ways = self._issuer.says("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return "client_secret_basic" if "client_secret_basic" in ways else "client_secret_post"

    def _redeemed(self, *, code: str, verifier: str, callback: str) -> Mapping[str, Any]:
        endpoint = self._issuer.says("token_endpoint")
        with self._session(callback) as session:
            found: Mapping[str, Any] = self._issuer.asked(
                lambda: session.fetch_token(
                    endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=verifier,
                    redirect_uri=callback,
                    allow_redirects=False,
                    proxies=proxies_for(endpoint),
                )
            )
        return found

    def _more(self, subject: str, access_token: str) -> Mapping[str, Any]:
        place = self._issuer.says("userinfo_endpoint")
        if place is None:
            return {}
        told = self._issuer.json(place, auth=Bearer(access_token))
        if told.get("sub") != subject:
            raise Denied(f"{self._settings.issuer} tells of somebody else than who signed in")
        return told


def _name(claims: Mapping[str, Any], claim: str) -> str | None:
    name = claims.get(claim)
    if not isinstance(name, str) or not name:
        return None
    if claim == "email":
        # Whoever may enter any address must not become who has it.
        return name.lower() if claims.get("email_verified") is True else None
    return name
