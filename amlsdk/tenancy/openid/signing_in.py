"""A sign-in on its way: from a command, by a browser and a provider, back to the command (RFC 8252, RFC 7636).

What is under way is kept in the directory, so that each step may come to another process of the service; and by digests
only, so that whoever reads a backup can't go on with one. Each step can be taken once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import attrs
import orjson
from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from amlsdk.errors import AmlError, Denied, InvalidArgument, NotSignedIn
from amlsdk.operations import Role
from amlsdk.operations.tenancy import CreateToken
from amlsdk.records.tenancy import TokenRecord
from amlsdk.service import Principal, SignInBegun
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.times import now_us
from amlsdk.storage.tenancy.schema import sign_in, user
from amlsdk.tenancy.openid.provider import Provider
from amlsdk.tenancy.openid.settings import OpenId
from amlsdk.tenancy.openid.users import user_of

__all__ = ["OpenIdSignIn"]

# Time to type a password and look for a second factor; and for a browser to go where it is sent.
_PAGE_S = 900.0
_CODE_S = 120.0
_DAY_S = 86_400.0
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_REDIRECT = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):[1-9][0-9]{0,4}(?:/[A-Za-z0-9_-]{0,200}){1,4}")


@attrs.frozen(kw_only=True)
class OpenIdSignIn:
    """Signs people in with a provider. Safe across threads.

    Args:
        settings: Which provider, and as whom it is asked.
        database: The directory's.
        create: Makes a token for whom it is told, and writes down that it did.
    """

    settings: OpenId
    database: Database
    create: Callable[[Principal, CreateToken], TokenRecord]
    provider: Provider = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "provider", Provider(self.settings))

    @property
    def public_url(self) -> str | None:
        """The service's URL, as browsers reach it, where it was told."""
        return self.settings.public_url

    def begin(self, *, redirect: str, challenge: str, callback: str) -> SignInBegun:
        """Send a browser to the provider.

        Args:
            redirect: Where the command that wants a token listens, on the browser's machine.
            challenge: Digest of what only that command knows, in base64url.
            callback: Where the provider sends the browser back to.

        Raises:
            InvalidArgument: The redirect leads anywhere else, or the challenge is none.
            Unavailable: The provider can't be asked.
        """
        _check_redirect(redirect)
        if not _CHALLENGE.fullmatch(challenge):
            raise InvalidArgument("a challenge is a SHA-256 in base64url: 43 of the characters A-Z a-z 0-9 - _")
        state, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        facts = {
            "nonce": secrets.token_urlsafe(32),
            "verifier": secrets.token_urlsafe(48),
            "callback": callback,
            "redirect": redirect,
            "challenge": challenge,
            "browser": _digest(browser),
        }
        address = self.provider.address(
            state=state, nonce=facts["nonce"], verifier=facts["verifier"], callback=callback
        )
        self._keep(_page(state), facts, for_s=_PAGE_S)
        return SignInBegun(address=address, state=state, browser=browser)

    def finish(self, answer: Mapping[str, str], *, browser: str | None) -> str:
        """Return where a browser goes that came back from the provider: to the command, with a code or an error.

        Args:
            answer: What the provider sent with the browser.
            browser: What it was given when it was sent there.

        Raises:
            InvalidArgument: No sign-in is under way that this could belong to.
        """
        facts = self._take(_page(answer.get("state", "")))
        if facts is None or browser is None or not hmac.compare_digest(_digest(browser), facts["browser"]):
            raise InvalidArgument(
                "no sign-in of this browser is under way here: it took too long, or was finished already; begin again"
            )
        try:
            return _with(facts["redirect"], code=self._code(answer, facts))
        except AmlError as error:
            return _with(facts["redirect"], error=error.code, message=str(error))

    def redeem(self, *, code: str, verifier: str, wanted: CreateToken, caller: Principal) -> TokenRecord:
        """Make a token known for who signed in.

        Args:
            code: What came with the browser.
            verifier: What only the command knows that began.
            wanted: The token; it is made for nobody else, and ends.
            caller: Where this comes from.

        Raises:
            NotSignedIn: The code is none, was redeemed already, is too old, or another command began.
            InvalidArgument: No such token can be made.
        """
        facts = self._take(_code(code))
        if facts is None or not _VERIFIER.fullmatch(verifier) or not _fits(verifier, facts["challenge"]):
            raise NotSignedIn("the code of this sign-in opens nothing (any more); `aml login` again")
        with self.database.read() as connection:
            row = connection.execute(select(user).where(user.c.id == facts["user_id"])).first()
        if row is None:
            raise NotSignedIn("the user who signed in is gone; `aml login` again")
        who = attrs.evolve(caller, name=row.name, user_id=row.id, role=Role.OWNER, token_id="", workspace_id=None)
        longest_s = self.settings.token_days * _DAY_S
        asked_s = wanted.expires_in_s
        lasting_s = longest_s if asked_s is None else min(asked_s, longest_s)
        return self.create(
            who, CreateToken(id=wanted.id, name=wanted.name, digest=wanted.digest, expires_in_s=lasting_s)
        )

    def _code(self, answer: Mapping[str, str], facts: Mapping[str, str]) -> str:
        self._refuse_faults(answer)
        found = self.provider.identity(
            code=answer["code"], nonce=facts["nonce"], verifier=facts["verifier"], callback=facts["callback"]
        )
        user_id = user_of(self.database, self.settings.issuer, found)
        code = secrets.token_urlsafe(32)
        self._keep(_code(code), {"challenge": facts["challenge"], "user_id": user_id}, for_s=_CODE_S)
        return code

    def _refuse_faults(self, answer: Mapping[str, str]) -> None:
        if "error" in answer:
            said = f"{answer['error']} {answer.get('error_description', '')}".strip()[:200]
            raise Denied(f"the provider {self.settings.issuer} did not sign in: {said}")
        # RFC 9207: an answer that another provider was given for is not shown to this one.
        if answer.get("iss", self.settings.issuer) != self.settings.issuer or not answer.get("code"):
            raise Denied(f"what the browser brought is no answer of {self.settings.issuer}")

    def _keep(self, key: str, facts: Mapping[str, str], *, for_s: float) -> None:
        now = now_us()
        values = {
            "state": key,
            "facts": orjson.dumps(facts).decode(),
            "user_id": facts.get("user_id"),
            "expires_at": now + int(for_s * 1_000_000),
        }
        with self.database.write() as connection:
            connection.execute(delete(sign_in).where(sign_in.c.expires_at <= now))
            connection.execute(insert(sign_in), values)

    def _take(self, key: str) -> Mapping[str, str] | None:
        """Return what was kept, to one caller only."""
        with self.database.write() as connection:
            row = connection.execute(select(sign_in).where(sign_in.c.state == key)).first()
            if row is None or not _is_removed(connection, key) or row.expires_at <= now_us():
                return None
        found: Mapping[str, str] = orjson.loads(row.facts)
        return found


def _is_removed(connection: Connection, key: str) -> bool:
    # Of two processes that have both seen it, one removes it.
    done: Any = connection.execute(delete(sign_in).where(sign_in.c.state == key))
    return bool(done.rowcount)


def _page(state: str) -> str:
    return f"page {_digest(state)}"


def _code(code: str) -> str:
    return f"code {_digest(code)}"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _fits(verifier: str, challenge: str) -> bool:
    found = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(found, challenge.encode())


def _with(redirect: str, **said: str) -> str:
    return f"{redirect}?{urlencode(said)}"


def _check_redirect(redirect: str) -> None:
    """See that a browser is sent to nobody but a program on its own machine (RFC 8252, section 7.3)."""
    # Not by a name, which a machine's settings may lead anywhere; and in no form that a browser could read differently.
    if not _REDIRECT.fullmatch(redirect):
        raise InvalidArgument(
            f"redirect={redirect[:200]!r}: a browser is sent back to a program on its own machine only, "
            "as http://127.0.0.1:PORT/PATH"
        )
