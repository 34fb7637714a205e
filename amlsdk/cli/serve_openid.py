"""What `aml serve` is told of a provider that people sign in with."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from amlsdk.tenancy.openid import OpenId

__all__ = ["SECRET_VARIABLE", "openid_of", "openid_options"]

# Of the environment only: a list of processes shows what a command was given.
SECRET_VARIABLE = "AMLSDK_SERVE_OPENID_CLIENT_SECRET"  # noqa: S105  # its name
F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = (
    click.option("--openid-issuer", metavar="URL", help="Let people sign in with this provider of OpenID Connect."),
    click.option(
        "--openid-client-id",
        metavar="TEXT",
        help=f"Of the service, at the provider; its secret, where there is one, is {SECRET_VARIABLE}.",
    ),
    click.option(
        "--openid-user-claim",
        metavar="NAME",
        default="email",
        show_default=True,
        help="What becomes the name of a user. An email counts once verified; any other is believed.",
    ),
    click.option("--public-url", metavar="URL", help="The service's own, as browsers reach it by way of a proxy."),
)


def openid_options(command: F) -> F:
    """Give a command the options of a provider, for `openid_of`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def openid_of(given: dict[str, Any]) -> OpenId | None:
    """Take the options of a provider out of what a command was given.

    Raises:
        InvalidArgument: One of them can't be meant.
        MissingDependency: The library that speaks with providers is not installed.
    """
    issuer, client_id = given.pop("openid_issuer"), given.pop("openid_client_id")
    user_claim, public_url = given.pop("openid_user_claim"), given.pop("public_url")
    if (issuer is None) != (client_id is None):
        raise click.UsageError("--openid-issuer and --openid-client-id go together")
    if issuer is None:
        if public_url is not None:
            raise click.UsageError("--public-url is for signing in by a browser: give --openid-issuer, too")
        return None
    from amlsdk.tenancy.openid import OpenId

    return OpenId(
        issuer=issuer,
        client_id=client_id,
        client_secret=os.environ.get(SECRET_VARIABLE) or None,
        user_claim=user_claim,
        public_url=public_url,
    )
