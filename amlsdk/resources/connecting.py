"""Finding a workspace and connecting to it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from amlsdk import plugins
from amlsdk.errors import InvalidArgument
from amlsdk.logins import token_for
from amlsdk.resources.arguments import check_flag, local_path, named, shown
from amlsdk.resources.client import Address, Client
from amlsdk.resources.config import Config
from amlsdk.resources.workspace import Workspace

if TYPE_CHECKING:
    import requests

__all__ = ["client_of", "connect", "find_location"]

_HOST_AND_PORT = re.compile(r"[A-Za-z0-9.-]+:\d{1,5}")
_OF_WORKSPACE = re.compile(r"/w/[^/]+/*$")


def connect(  # the few settings a connection has
    location: str | os.PathLike[str] | None = None,
    *,
    token: str | Callable[[], str] | None = None,
    workspace: str | None = None,
    create: bool = True,
    config: Config | None = None,
    session: requests.Session | None = None,
) -> Workspace:
    """Open a workspace: a folder on this machine, or a service.

    Args:
        location: A folder, or a URL like `https://aml.example.com`. None looks at AMLSDK_WORKSPACE, then for the
            nearest `aml_config/workspace.json` upwards from the current folder, then takes `~/.amlsdk`.
        token: For a service; a text, or a function that returns one, which is asked again when the last one opens
            nothing any more. Default: AMLSDK_TOKEN, then what `aml login` kept.
        workspace: Name or id of the workspace, where the caller is a member of several of a service.
        create: Whether a folder that is no workspace yet becomes one; this is logged at INFO level.
        config: Settings of this connection: patience with a service, what runs note of themselves.
        session: A `requests.Session` to use for a service, with proxies and certificates of its own. Else the
            environment says which (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE).

    Returns:
        The workspace; also a context manager that closes it.

    Raises:
        NotFound: There is no such workspace, and `create` is False.
        InvalidArgument: The folder holds something else, or is on a network filesystem; or an argument is none.
        NotSignedIn: The service asks for a token, or this one opens nothing.
        Unavailable: The service or the folder can't be reached.

    Example:
        >>> import amlsdk
        >>> with amlsdk.connect("./workspace") as ws:
        ...     project = ws.projects.get_or_create("wine")
    """
    client = client_of(location, token=token, workspace=workspace, create=create, config=config, session=session)
    opened = Workspace.of(client)
    client.look_for_left()
    return opened


def client_of(
    location: str | os.PathLike[str] | None = None,
    *,
    token: str | Callable[[], str] | None = None,
    workspace: str | None = None,
    create: bool = True,
    config: Config | None = None,
    session: requests.Session | None = None,
) -> Client:
    """Return the connection that `connect` opens a workspace by; nothing is sent or opened yet.

    Raises:
        InvalidArgument: An argument is none.
    """
    place = _checked(find_location() if location is None else location)
    is_url = "://" in place and not place.startswith("file://")
    _check_types(token, create, config, session)
    if workspace is not None and not is_url:
        raise InvalidArgument(f"workspace={workspace!r} is for a service; the folder {place} is one workspace")
    if workspace is not None and _OF_WORKSPACE.search(place):
        raise InvalidArgument(f"connect: {place} is a workspace already; workspace={workspace!r} names another")
    if workspace is not None:
        place = f"{place.rstrip('/')}/w/{quote(named(workspace, what='connect(workspace=...)'), safe='')}"
    if token is not None and not is_url:
        raise InvalidArgument(f"connect(token=...) is for a service; the folder {place} asks for none")
    found = token_for(place) if is_url and token is None else token
    if isinstance(found, str):
        found = found.strip()  # a file that it was read from ends with a newline
    return Client(Address(location=place, token=found, create=create, session=session), config or Config())


def _checked(location: str | os.PathLike[str]) -> str:
    place = named(location, what="connect(location=...)")
    scheme, separator, _ = place.partition("://")
    if not separator and _HOST_AND_PORT.fullmatch(place) and not Path(place).exists():
        raise InvalidArgument(
            f"connect: {place!r} looks like a service, whose URL begins with http:// or https://; ./{place} is a folder"
        )
    if not separator:
        return str(local_path(place, what="connect(location=...)"))
    known = plugins.names("amlsdk.backends")
    if scheme.lower() not in known:
        places = ", ".join(f"{name}://" for name in known)
        raise InvalidArgument(f"connect: there is no {scheme}://; a workspace is a folder or at one of {places}")
    return place


def _check_types(token: object, create: object, config: object, session: object) -> None:
    check_flag(create, what="connect(create=...)")
    if token is not None and not isinstance(token, str) and not callable(token):
        raise InvalidArgument(f"connect(token=...) is a text, or a function that returns one, not {shown(token)}")
    if config is not None and not isinstance(config, Config):
        raise InvalidArgument(f"connect(config=...) is a Config, not {shown(config)}")
    if session is not None and not callable(getattr(session, "request", None)):
        raise InvalidArgument(f"connect(session=...) is a requests.Session, not {shown(session)}")


def find_location() -> str:
    """Return the workspace that is meant where none is named.

    Raises:
        InvalidArgument: An `aml_config/workspace.json` is no JSON object with a `location`.
    """
    from_environment = os.environ.get("AMLSDK_WORKSPACE")
    if from_environment:
        return from_environment
    here = Path.cwd()
    for folder in (here, *here.parents):
        file = folder / "aml_config" / "workspace.json"
        if file.is_file():
            return _location_in(file)
    return str(Path.home() / ".amlsdk")


def _location_in(file: Path) -> str:
    try:
        location = json.loads(file.read_text(encoding="utf-8"))["location"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidArgument(f'{file} is expected to hold {{"location": "<folder or URL>"}}: {error}') from error
    if not isinstance(location, str) or not location:
        raise InvalidArgument(f"{file}: location is a folder or a URL, not {location!r}")
    # A relative folder is meant from the project's folder, not from wherever the script was started.
    return location if "://" in location else str((file.parent.parent / location).resolve())
