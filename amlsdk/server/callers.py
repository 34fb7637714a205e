"""Who shows a token, remembered for a moment: a client at work shows the same one with every request."""

from __future__ import annotations

import time
from hashlib import sha256

from amlsdk.errors import NotSignedIn
from amlsdk.server.limits import Limits, Rates, TooMany
from amlsdk.server.threads import Threads
from amlsdk.service import Host, Principal

__all__ = ["Callers"]

# A token that was revoked, through whichever server process, opens nothing after a second.
_KEPT_S = 0.5
_MOST_KEPT = 10_000


class Callers:
    """Signs callers in, each as often as the limits let them.

    Args:
        host: Knows tokens.
        limits: How often is too often.
        threads: Where the host is asked.
    """

    def __init__(self, host: Host, limits: Limits, threads: Threads) -> None:
        self._host, self._threads = host, threads
        self._rates = Rates(limits.rate, limits.burst)
        self._strangers = Rates(limits.stranger_rate, limits.stranger_burst)
        # By a digest: a token itself is kept nowhere. A plain dictionary is safe across threads as it is used here.
        self._kept: dict[bytes, tuple[float, Principal]] = {}

    async def principal(self, token: str | None, address: str) -> Principal:
        """Return whoever shows a token, and count their request; to be called in the event loop.

        Raises:
            NotSignedIn: The token opens nothing.
            TooMany: They, or strangers from this address, ask too often.
        """
        found = self._remembered(token)
        if found is None:
            found = await self._asked(token, address)
        wait_s = self._rates.wait_s(found.token_id)
        if wait_s:
            raise TooMany("the token is used too often for this service; try again later", retry_after_s=wait_s)
        self._rates.take(found.token_id)
        return found

    def sign_in(self, token: str | None) -> Principal:
        """Return whoever shows a token, uncounted; to be called in a thread.

        Raises:
            NotSignedIn: It opens nothing, or no longer.
        """
        return self._remembered(token) or self._looked_up(token)

    def count_stranger(self, address: str) -> None:
        """Count a request that needs no token; to be called in the event loop.

        Raises:
            TooMany: There were too many from this address.
        """
        wait_s = self._strangers.wait_s(address)
        if wait_s:
            raise TooMany(
                "too many requests without a right token came from this address; try again later", retry_after_s=wait_s
            )
        self._strangers.take(address)

    def forget(self) -> None:
        """Ask the host for everybody again, since a token may have changed."""
        self._kept.clear()

    async def _asked(self, token: str | None, address: str) -> Principal:
        wait_s = self._strangers.wait_s(address)
        if wait_s:
            # Not even looked at: this is what makes guessing slow.
            self.count_stranger(address)
        try:
            return await self._threads.run(self._looked_up, token)
        except NotSignedIn:
            self._strangers.take(address)
            raise

    def _looked_up(self, token: str | None) -> Principal:
        found = self._host.sign_in(token)
        if token is not None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[_key(token)] = (time.monotonic() + _KEPT_S, found)
        return found

    def _remembered(self, token: str | None) -> Principal | None:
        if token is None:
            return None
        until, found = self._kept.get(_key(token), (0.0, None))
        return found if until > time.monotonic() else None


def _key(token: str) -> bytes:
    return sha256(token.encode()).digest()
