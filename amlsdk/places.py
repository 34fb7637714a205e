"""Where a workspace is, as one process tells another over standard input."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs

from amlsdk import plugins
from amlsdk.service import Backend, Spool

__all__ = ["Place", "Reach", "home", "open_backend"]


@attrs.frozen(kw_only=True)
class Reach:
    """How a service is reached.

    Args:
        timeout_s: How long to wait for a connection, and for each piece of a response.
        deadline_s: How long a service that is not there is tried before `Unavailable`.
        user_agent: Name and version of the program that asks, such as `sweeper/2.1`.
    """

    timeout_s: float = 30.0
    deadline_s: float = 60.0
    user_agent: str | None = None


def home() -> Path:
    """Return the folder where amlsdk keeps what belongs to the user of this machine: AMLSDK_HOME, else `~/.amlsdk`."""
    chosen = os.environ.get("AMLSDK_HOME")
    return Path(chosen).absolute() if chosen else Path.home() / ".amlsdk"


def open_backend(
    location: str, *, create: bool = False, token: Any = None, session: Any = None, reach: Reach | None = None
) -> Backend:
    """Load the backend of a location's scheme and open it.

    Args:
        location: A folder or a URL.
        create: Whether a missing folder is made.
        token: Of a service: a text or a callable.
        session: A `requests.Session` for a service.
        reach: How a service is reached.

    Raises:
        AmlError: It can't be opened.
    """
    scheme, separator, _ = location.partition("://")
    if not separator or scheme == "file":
        folder: Backend = plugins.load("amlsdk.backends", "file")(location, create=create)
        return folder
    load = plugins.load("amlsdk.backends", scheme.lower())
    service: Backend = load(location, token=token, session=session, **attrs.asdict(reach or Reach()))
    return service


@attrs.frozen(kw_only=True)
class Place:
    """A workspace, and where its client on this machine keeps what it writes.

    Args:
        location: A folder or a URL.
        spool: Of the client.
        credential: A token, or None.
    """

    location: str
    spool: Spool
    credential: str | None = attrs.field(default=None, repr=False)

    def to_message(self) -> dict[str, Any]:
        """Return this as JSON; it holds the token, and so is for a pipe only."""
        blobs = self.spool.blobs
        return {
            "location": self.location,
            "credential": self.credential,
            "blobs": None if blobs is None else os.fspath(blobs),
            "runs": os.fspath(self.spool.runs),
            "journals": os.fspath(self.spool.journals),
            "shipped": self.spool.shipped,
        }

    @classmethod
    def of(cls, message: dict[str, Any]) -> Place:
        """Read what `to_message` wrote."""
        blobs = message["blobs"]
        spool = Spool(
            journals=Path(message["journals"]),
            runs=Path(message["runs"]),
            shipped=message["shipped"],
            blobs=None if blobs is None else Path(blobs),
        )
        return cls(location=message["location"], credential=message["credential"], spool=spool)

    def open(self) -> Backend:
        """Open the workspace."""
        return open_backend(self.location, token=self.credential)
