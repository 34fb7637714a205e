"""Signing in to a service with a provider of OpenID Connect."""

from amlsdk.tenancy.openid.settings import OpenId
from amlsdk.tenancy.openid.signing_in import OpenIdSignIn

__all__ = ["OpenId", "OpenIdSignIn"]
