"""What every keeper of output promises."""

from __future__ import annotations

from abc import ABC, abstractmethod

from amlsdk.records.streams import ByteStream

__all__ = ["OutputStore", "log_key", "run_key"]


def run_key(run_id: str) -> str:
    """Return under what the output of a run is kept; the id comes from the catalogue, never from a caller."""
    return f"run/{run_id}"


def log_key(owner_id: str) -> str:
    """Return under what the log of a build or a deployment is kept; the id comes from the catalogue."""
    return f"log/{owner_id}"


class OutputStore(ABC):
    """Bytes that grow at their end and are read while they do, each under a key of `run_key` or `log_key`.

    The contract:

    - What was appended is there when the call returns, also for other processes.
    - Any number may append the same bytes at the same offset, at once or again: they are kept once.
    """

    @abstractmethod
    def append(self, key: str, content: ByteStream, *, offset: int) -> int:
        """Append bytes after what is there; those that are there already are skipped, a gap changes nothing.

        Returns:
            How many bytes there are now.

        Raises:
            Unavailable: It takes no more; the message says why.
        """

    @abstractmethod
    def size(self, key: str) -> int:
        """Return how many bytes there are; 0 where there are none."""

    @abstractmethod
    def read(self, key: str, *, start: int, stop: int) -> ByteStream:
        """Return the bytes from `start` to before `stop`, both within what is there."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete all of it; none being there is no error."""
