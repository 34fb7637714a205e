"""Making tokens for processes that work on their own."""

from __future__ import annotations

import logging
import os
import secrets

from amlsdk.errors import InvalidArgument
from amlsdk.handing.credentials import EXPIRES_S, Credential, newer_in
from amlsdk.operations.tenancy import CreateToken
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.places import Place
from amlsdk.records.tokens import digest_of_token, id_of_token, new_token
from amlsdk.service import Service, Spool

__all__ = ["credential_for", "leave_newer"]

_LOGGER = logging.getLogger("amlsdk")
_MOST_NAME = 250


def credential_for(service: Service, place: Place, *, kind: str, name: str) -> Credential:
    """Return the credential for a process that is to work in a workspace.

    Args:
        service: Of whoever asks for the work.
        place: Of the workspace.
        kind: One of `TokenKind`.
        name: What the token is called in lists.

    Raises:
        AmlError: The service gives no token.
    """
    if not place.spool.shipped:
        return Credential(place.credential)
    made = _made(service, kind=kind, name=name)
    # Where one token is all that there is, as where a script's workspace is lent on loopback, it is handed on.
    return Credential(made or place.credential, is_own=made is not None, newer=newer_in(place.spool.runs))


def leave_newer(service: Service, spool: Spool, *, kind: str) -> None:
    """Leave a new token for whatever works here and can't sign in any more, for its owner only.

    Raises:
        AmlError: The service gives no token.
        OSError: The file can't be written.
    """
    made = _made(service, kind=kind, name="what works on its own")
    if made is None:
        return
    place = newer_in(spool.runs)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, made.encode())
    finally:
        os.close(descriptor)
    draft.replace(place)


def _made(service: Service, *, kind: str, name: str) -> str | None:
    made = new_token()
    try:
        workspace_id = service.send(GetWorkspace()).id
        service.send(
            CreateToken(
                id=id_of_token(made) or "",
                name=name[:_MOST_NAME],
                digest=digest_of_token(made),
                kind=kind,
                role="contributor",
                workspace_id=workspace_id,
                expires_in_s=EXPIRES_S,
            )
        )
    except InvalidArgument as error:
        _LOGGER.debug("this service makes no tokens: %s", error)
        return None
    return made
