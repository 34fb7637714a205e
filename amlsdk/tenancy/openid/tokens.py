"""ID tokens, believed once all of them is checked (OpenID Connect Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from amlsdk.errors import Denied
from amlsdk.tenancy.openid.asking import KEPT_S, Issuer

__all__ = ["IdTokens"]

# Whoever shows a token with an unknown key must not make the service ask for keys each time.
_AT_MOST_EVERY_S = 30.0
# Clocks of two machines.
_LEEWAY_S = 60
# None that is signed with the client's own secret, or not at all.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


class IdTokens:
    """Checks ID tokens of one issuer for one client. Safe across threads.

    Args:
        issuer: Who signs them.
        client_id: Whom they are for.
    """

    def __init__(self, issuer: Issuer, client_id: str) -> None:
        self._issuer, self._client_id = issuer, client_id
        self._lock = threading.Lock()
        self._keys: tuple[float, Any] | None = None

    def claims(self, text: Any, *, nonce: str, access_token: str) -> Mapping[str, Any]:
        """Return what an ID token says.

        Args:
            text: The token.
            nonce: That it must have.
            access_token: That came with it.

        Raises:
            Denied: It can't be believed; the message says why.
            Unavailable: The issuer's keys can't be had.
        """
        from authlib.oidc.core import CodeIDToken
        from joserfc.errors import JoseError

        if not isinstance(text, str):
            raise Denied(f"{self._issuer.url} gave no ID token; is it a provider of OpenID Connect?")
        wanted = {
            "iss": {"essential": True, "value": self._issuer.url},
            "aud": {"essential": True, "value": self._client_id},
            "sub": {"essential": True},
        }
        about = {"nonce": nonce, "client_id": self._client_id, "access_token": access_token}
        try:
            token = self._decoded(text)
            CodeIDToken(token.claims, token.header, wanted, about).validate(leeway=_LEEWAY_S)
        except (JoseError, ValueError, TypeError) as error:
            raise Denied(f"the ID token of {self._issuer.url} can't be believed: {error}") from error
        claims: Mapping[str, Any] = token.claims
        return claims

    def _decoded(self, text: str) -> Any:
        from joserfc.errors import InvalidKeyIdError

        try:
            return self._decoded_now(text)
        except InvalidKeyIdError:
            # Providers change their keys from time to time.
            self._forget_keys()
            return self._decoded_now(text)

    def _decoded_now(self, text: str) -> Any:
        from joserfc import jwt
        from joserfc.jws import JWSRegistry

        told = self._issuer.says("id_token_signing_alg_values_supported", ["RS256"])
        allowed = [name for name in _ALGORITHMS if name in told]
        return jwt.decode(text, self._key_set(), registry=JWSRegistry(algorithms=allowed, strict_check_header=False))

    def _key_set(self) -> Any:
        from joserfc.jwk import KeySet

        with self._lock:
            if self._keys is None or self._keys[0] + KEPT_S < time.monotonic():
                found: Any = self._issuer.json(self._issuer.says("jwks_uri"))
                self._keys = time.monotonic(), KeySet.import_key_set(found)
            return self._keys[1]

    def _forget_keys(self) -> None:
        with self._lock:
            if self._keys is not None and self._keys[0] + _AT_MOST_EVERY_S < time.monotonic():
                self._keys = None
