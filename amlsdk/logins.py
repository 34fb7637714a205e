"""Tokens that `aml login` keeps for the user of this machine.

Which services there is a token for is in `credentials.json` of the home of amlsdk, which only its user may read. The
token itself is in the system's keyring where there is one, else beside the name of the service.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from amlsdk.errors import NotSignedIn, Unavailable
from amlsdk.places import home
from amlsdk.urls import is_within, normal

__all__ = ["Logins", "StoredToken", "token_for"]

_FILE = "credentials.json"
_KEYRING_NAME = "amlsdk"
_KEYRING = "keyring"
# The places that keep a secret as a text that anybody may read have a lower one.
_RECOMMENDED = 1


def token_for(location: str) -> str | StoredToken | None:
    """Return what opens a service where the caller gave nothing: AMLSDK_TOKEN, else what `aml login` kept.

    Args:
        location: URL of the service, or of a workspace in it.
    """
    given = os.environ.get("AMLSDK_TOKEN")
    if given or not location.lower().startswith(("http://", "https://")):
        return given
    stored = StoredToken(location)
    return stored if stored.is_kept else None


@attrs.define(eq=False)
class StoredToken:
    """What `aml login` kept for a service; called, it returns the token as it is now.

    Args:
        location: URL of the service, or of a workspace in it.
    """

    location: str
    _seen: tuple[int, int] | None = attrs.field(default=None, init=False, repr=False)
    _token: str | None = attrs.field(default=None, init=False, repr=False)

    @property
    def is_kept(self) -> bool:
        """Whether there is one."""
        return self._now() is not None

    def __call__(self) -> str:
        """Return the token; another one as soon as there was another login.

        Raises:
            NotSignedIn: There is none any more.
        """
        token = self._now()
        if token is None:
            raise NotSignedIn(f"nobody is signed in to {self.location} any more: `aml login` signs in")
        return token

    def _now(self) -> str | None:
        # Each login writes the file anew, also where the token itself is elsewhere: asking a keyring takes long.
        seen = _signature(home() / _FILE)
        if seen != self._seen:
            self._token, self._seen = Logins().find(self.location), seen
        return self._token


class Logins:
    """The services that this user is signed in to.

    Args:
        folder: The home of amlsdk; by default as the environment has it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._path = (folder or home()) / _FILE

    def find(self, location: str) -> str | None:
        """Return the token for a service or a workspace in it, where one is kept; that of the nearest URL."""
        place = self.place_of(location)
        if place is None:
            return None
        kept = self._read()[place]
        return _from_keyring(place) if kept.get("in") == _KEYRING else kept.get("token")

    def place_of(self, location: str) -> str | None:
        """Return the URL under which a token for a service, or for a workspace in it, is kept; None where none is."""
        url = normal(location)
        return max((place for place in self._read() if is_within(url, place)), key=len, default=None)

    def keep(self, location: str, token: str) -> str:
        """Keep a token, in place of the one that was kept for this URL; return where it is: `keyring` or the file.

        Raises:
            Unavailable: It can't be written.
        """
        url = normal(location)
        in_keyring = _into_keyring(url, token)
        self._change(url, {"in": _KEYRING} if in_keyring else {"token": token})
        return "the system's keyring" if in_keyring else str(self._path)

    def forget(self, location: str) -> bool:
        """Keep the token of a URL no longer; say whether there was one.

        Raises:
            Unavailable: The file can't be written.
        """
        url = normal(location)
        kept = self._read().get(url)
        if kept is None:
            return False
        if kept.get("in") == _KEYRING:
            _out_of_keyring(url)
        self._change(url, None)
        return True

    def _read(self) -> dict[str, Mapping[str, Any]]:
        try:
            kept = json.loads(self._path.read_text("utf-8"))["logins"]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"{self._path} can't be read ({error}); mend or remove it, then `aml login`") from error
        return {url: login for url, login in kept.items() if isinstance(login, dict)}

    def _change(self, url: str, login: Mapping[str, Any] | None) -> None:
        kept = {place: said for place, said in self._read().items() if place != url}
        if login is not None:
            kept[url] = login
        draft = self._path.with_name(f"{_FILE}.{secrets.token_hex(4)}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made so that no other user could read it even for a moment, and put in place whole.
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"logins": kept}, file, indent=1)
            draft.replace(self._path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise Unavailable(
                f"{self._path} can't be written: {error.strerror}; make it writable, or use AMLSDK_TOKEN"
            ) from error


def _signature(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _keyring() -> Any:
    """Return the system's keyring; None where there is none that keeps secrets well, or it can't be asked."""
    try:
        import keyring
    except ImportError:
        return None
    with contextlib.suppress(Exception):  # of whatever library the system's keyring is reached by
        found = keyring.get_keyring()
        if found.priority >= _RECOMMENDED:
            return found
    return None


def _into_keyring(url: str, token: str) -> bool:
    ring = _keyring()
    if ring is None:
        return False
    try:
        ring.set_password(_KEYRING_NAME, url, token)
    except Exception:  # noqa: BLE001  # as above: a locked keyring, or one without a screen to ask on
        return False
    return True


def _from_keyring(url: str) -> str | None:
    try:
        found: str | None = _keyring().get_password(_KEYRING_NAME, url)
    except Exception as error:
        raise Unavailable(
            f"the token for {url} is in the system's keyring, which can't be asked: {error}; unlock it, install the "
            "extra `keyring`, or `aml login` again"
        ) from error
    return found


def _out_of_keyring(url: str) -> None:
    with contextlib.suppress(Exception):  # what is not there, or can't be reached, opens nothing for us either
        _keyring().delete_password(_KEYRING_NAME, url)
