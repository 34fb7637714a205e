"""Signing in with a provider of identities: the pages a browser is sent through, and the token in the end.

A command opens `/sign-in/openid` in a browser and listens on its own machine. The browser goes to the provider, comes
back to `/sign-in/openid/callback`, and is sent to the command with a code. For the code, and for what only the command
knows that began, `/sign-in/token` makes the command's own token known: the token itself never travels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio
import attrs
import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from amlsdk.errors import AmlError, InvalidArgument, NotFound
from amlsdk.operations import Role, operation_of
from amlsdk.operations.checks import check
from amlsdk.operations.tenancy import CreateToken
from amlsdk.server.answering import Operations
from amlsdk.server.faults import fault
from amlsdk.server.replies import internal_reply, json_reply
from amlsdk.server.visits import visit_of
from amlsdk.service import Host, Principal, SignInByBrowser
from amlsdk.urls import normal
from amlsdk.wire import encode_reply

__all__ = ["SignInPages"]

_WAYS, _BEGIN, _CALLBACK, _TOKEN = "/sign-in", "/sign-in/openid", "/sign-in/openid/callback", "/sign-in/token"
_COOKIE_S = 900
_MOST_BYTES = 16 << 10
_MOST_TEXT = 4096
_SILENCE_S = 10.0


class SignInPages:
    """Answers what is under `/sign-in`; anybody may ask, as often as strangers may.

    Args:
        host: Says whether and how people sign in.
        operations: Count strangers, and have threads.
    """

    def __init__(self, host: Host, operations: Operations) -> None:
        self._host, self._operations = host, operations

    def routes(self) -> list[Route]:
        """Return where it answers."""
        return [
            Route(_WAYS, self._told(self._ways)),
            Route(_BEGIN, self._told(self._begin)),
            Route(_CALLBACK, self._told(self._finish)),
            Route(_TOKEN, self._told(self._redeem), methods=["POST"]),
        ]

    def _told(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def told(request: Request) -> Response:
            visit = visit_of(request.scope)
            visit.route = request.url.path
            try:
                self._operations.callers.count_stranger(visit.address)
                response = await answer(request)
            except AmlError as error:
                response = fault(error)
            except ClientDisconnect:
                raise
            except Exception as error:  # noqa: BLE001  # told under a reference, and logged
                response = internal_reply(visit.route, error)
            # What is in the address must not go on to wherever a page leads.
            response.headers["referrer-policy"] = "no-referrer"
            return response

        return told

    def _way(self) -> SignInByBrowser:
        way = self._host.by_browser
        if way is None:
            raise NotFound("nobody signs in to this service by a browser; ask its owner for a token")
        return way

    async def _ways(self, _: Request) -> Response:
        self._way()
        return json_reply({"ways": ["openid"]})

    async def _begin(self, request: Request) -> Response:
        way, given = self._way(), _query(request)
        callback = _callback(way, request)
        begun = await self._operations.threads.run(
            lambda: way.begin(
                redirect=given.get("redirect", ""), challenge=given.get("challenge", ""), callback=callback
            )
        )
        response = RedirectResponse(begun.address, status_code=303)
        # The way back is for this browser alone: nobody can be made to finish what another began.
        response.set_cookie(
            _cookie(begun.state),
            begun.browser,
            max_age=_COOKIE_S,
            path=urlsplit(callback).path,
            secure=callback.startswith("https:"),
            httponly=True,
            samesite="lax",
        )
        return response

    async def _finish(self, request: Request) -> Response:
        way, answer = self._way(), _query(request)
        cookie = _cookie(answer.get("state", ""))
        browser = request.cookies.get(cookie)
        place = await self._operations.threads.run(lambda: way.finish(answer, browser=browser))
        response = RedirectResponse(place, status_code=303)
        response.delete_cookie(cookie, path=urlsplit(_callback(way, request)).path)
        return response

    async def _redeem(self, request: Request) -> Response:
        way, visit = self._way(), visit_of(request.scope)
        given = _Given.read(await _body(request))
        caller = Principal(name="", role=Role.OWNER, address=visit.address, request_id=visit.request_id)
        wanted = CreateToken(id=given.id, name=given.name, digest=given.digest, expires_in_s=given.expires_in_s)
        operation = operation_of(wanted)
        check(wanted, operation.request, at="the body")
        record = await self._operations.threads.run(
            lambda: way.redeem(code=given.code, verifier=given.verifier, wanted=wanted, caller=caller)
        )
        return Response(encode_reply(operation, record), media_type="application/json")


@attrs.frozen(kw_only=True)
class _Given:
    """What a command sends to have its token known."""

    code: str
    verifier: str
    id: str
    name: str
    digest: str
    expires_in_s: float | None = None

    @classmethod
    def read(cls, content: bytes) -> _Given:
        try:
            found = orjson.loads(content)
            given = cls(**found)
        except (ValueError, TypeError) as error:
            fields = ", ".join(attribute.name for attribute in attrs.fields(cls))
            raise InvalidArgument(f"the body is a JSON object with {fields}") from error
        if not isinstance(given.code, str) or not isinstance(given.verifier, str):
            raise InvalidArgument("code and verifier are texts")
        return given


async def _body(request: Request) -> bytes:
    content = bytearray()
    try:
        with anyio.fail_after(_SILENCE_S):
            async for chunk in request.stream():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise InvalidArgument(f"the body has more than {_MOST_BYTES} bytes")
    except TimeoutError as error:
        raise InvalidArgument(f"the body did not come within {_SILENCE_S:.0f} s; send it at once") from error
    return bytes(content)


def _query(request: Request) -> Mapping[str, str]:
    pairs: list[tuple[str, Any]] = request.query_params.multi_items()
    found = dict(pairs)
    if len(found) != len(pairs) or any(len(value) > _MOST_TEXT for value in found.values()):
        raise InvalidArgument("the query has a field twice, or one that is too long")
    return found


def _callback(way: SignInByBrowser, request: Request) -> str:
    """Return where the provider sends a browser back to; it knows the place, and sends none anywhere else."""
    return f"{normal(way.public_url or str(request.base_url))}{_CALLBACK}"


def _cookie(state: str) -> str:
    return f"amlsdk-{hashlib.sha256(state.encode()).hexdigest()[:16]}"
