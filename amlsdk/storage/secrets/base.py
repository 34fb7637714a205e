"""What every secret store promises."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["SecretStore"]


class SecretStore(ABC):
    """Named texts of one workspace, found by entry point (group `amlsdk.secret_stores`, by the scheme of a URL).

    The catalogue knows the names, who set each and when; a store knows the values. No method writes a value to a log,
    and no error's message holds one.
    """

    @abstractmethod
    def seal(self, name: str, value: str) -> bytes | None:
        """Keep a value.

        Returns:
            What the catalogue is to keep of it, encrypted and bound to the name and the workspace; None where this
            store keeps all of it elsewhere.

        Raises:
            Unavailable: The store can't be reached or refuses.
        """

    @abstractmethod
    def open(self, name: str, sealed: bytes | None) -> str:
        """Return a value.

        Args:
            name: As it was given to `seal`.
            sealed: What `seal` returned.

        Raises:
            NotFound: The store has no such secret.
            OperationFailed: It was damaged, or sealed with another key; the message says what to do.
            Unavailable: The store can't be reached or refuses.
        """

    @abstractmethod
    def forget(self, name: str) -> None:
        """Delete what is kept elsewhere; none being there is no error."""
